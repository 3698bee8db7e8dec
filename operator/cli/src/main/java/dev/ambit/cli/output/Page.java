package dev.ambit.cli.output;

/** What a person reads: lines, headings and tables, one after another. */
public final class Page {
  private final StringBuilder text = new StringBuilder();
  private final boolean colour;

  public Page(boolean colour) {
    this.colour = colour;
  }

  public Page line(String line) {
    text.append(line).append('\n');
    return this;
  }

  public Page line(String line, Tone tone) {
    return line(paint(line, tone));
  }

  public Page gap() {
    if (!text.isEmpty()) {
      text.append('\n');
    }
    return this;
  }

  /** A heading, with a gap before it. */
  public Page heading(String heading) {
    return gap().line(heading, Tone.HEADING);
  }

  /** A name and its value, the values of several below each other. */
  public Page field(String name, Cell value) {
    return line(
        paint(String.format("%-13s", name + ":"), Tone.QUIET)
            + " "
            + paint(value.text(), value.tone()));
  }

  public Page table(Table table) {
    text.append(table.render(colour));
    return this;
  }

  public String paint(String line, Tone tone) {
    return colour ? tone.paint(line) : line;
  }

  @Override
  public String toString() {
    return text.toString();
  }
}
