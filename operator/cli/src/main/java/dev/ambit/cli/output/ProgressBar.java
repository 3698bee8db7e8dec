package dev.ambit.cli.output;

import java.io.PrintStream;

/**
 * How far something is that takes time: a bar that moves where a person looks at it, and a line for
 * each change elsewhere.
 */
public final class ProgressBar {
  private static final int WIDTH = 30;

  private final PrintStream to;
  private final boolean terminal;
  private final boolean colour;
  private String last = "";

  public ProgressBar(PrintStream to, boolean terminal, boolean colour) {
    this.to = to;
    this.terminal = terminal;
    this.colour = colour;
  }

  /** Shows that {@code done} of {@code total} are done. */
  public void show(int done, int total, String what) {
    String line = terminal ? bar(done, total) + " " + what : what;
    if (line.equals(last)) {
      return;
    }
    last = line;
    if (terminal) {
      to.print("\r\u001b[K" + line);
      to.flush();
    } else {
      to.println(line);
    }
  }

  private String bar(int done, int total) {
    int filled = total <= 0 ? 0 : Math.min(WIDTH, WIDTH * done / total);
    String full = "█".repeat(filled);
    return (colour ? Tone.GOOD.paint(full) : full) + "░".repeat(WIDTH - filled);
  }

  /** Leaves the line to whatever is written next. */
  public void end() {
    if (terminal && !last.isEmpty()) {
      to.print("\r\u001b[K");
      to.flush();
    }
    last = "";
  }
}
