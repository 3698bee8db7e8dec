package dev.ambit.cli.output;

import java.util.Locale;

/** How a command's result is written. */
public enum Format {
  /** Text for people. */
  TABLE,
  JSON,
  YAML;

  /** The value as this format has it, which must not be {@link #TABLE}. */
  public String write(Object value) {
    return switch (this) {
      case JSON -> Json.pretty(value);
      case YAML -> Json.yaml(value);
      case TABLE -> throw new IllegalArgumentException("a table is not made of a value");
    };
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
