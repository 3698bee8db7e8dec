package dev.ambit.cli.output;

import java.util.ArrayList;
import java.util.List;

/** Rows below headings, each column as wide as its widest cell; the last one may be any length. */
public final class Table {
  private static final String GAP = "   ";

  private final List<String> headings;
  private final List<List<Cell>> rows = new ArrayList<>();

  public Table(String... headings) {
    this.headings = List.of(headings);
  }

  /** Adds a row; a cell that is no {@link Cell} is plain. */
  public Table row(Object... cells) {
    if (cells.length != headings.size()) {
      throw new IllegalArgumentException(cells.length + " cells under " + headings);
    }
    List<Cell> row = new ArrayList<>();
    for (Object cell : cells) {
      row.add(cell instanceof Cell known ? known : Cell.of(cell));
    }
    rows.add(row);
    return this;
  }

  public boolean isEmpty() {
    return rows.isEmpty();
  }

  /** The table as lines, each with its end. */
  String render(boolean colour) {
    int[] widths = new int[headings.size()];
    for (int column = 0; column < widths.length; column++) {
      widths[column] = headings.get(column).length();
      for (List<Cell> row : rows) {
        widths[column] = Math.max(widths[column], row.get(column).text().length());
      }
    }
    StringBuilder text = new StringBuilder();
    line(
        text, headings.stream().map(each -> new Cell(each, Tone.HEADING)).toList(), widths, colour);
    rows.forEach(row -> line(text, row, widths, colour));
    return text.toString();
  }

  private static void line(StringBuilder text, List<Cell> row, int[] widths, boolean colour) {
    for (int column = 0; column < widths.length; column++) {
      Cell cell = row.get(column);
      text.append(colour ? cell.tone().paint(cell.text()) : cell.text());
      if (column < widths.length - 1) {
        text.append(" ".repeat(widths[column] - cell.text().length())).append(GAP);
      }
    }
    text.append('\n');
  }
}
