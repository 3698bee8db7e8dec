package dev.ambit.cli.output;

/** How a text is meant, and so which colour it has. */
public enum Tone {
  PLAIN(""),
  /** As it should be. */
  GOOD("32"),
  /** Worth a look, or on its way. */
  WARNING("33"),
  /** Not as it should be. */
  BAD("31"),
  /** Less important than the rest. */
  QUIET("2"),
  HEADING("1");

  private final String code;

  Tone(String code) {
    this.code = code;
  }

  /** The text in this tone's colour. */
  String paint(String text) {
    return code.isEmpty() || text.isEmpty() ? text : "\u001b[" + code + "m" + text + "\u001b[0m";
  }
}
