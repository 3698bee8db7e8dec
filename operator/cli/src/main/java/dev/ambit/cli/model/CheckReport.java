package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What was looked at, and what was found. */
public record CheckReport(List<Line> checks) {
  /** How a check came out. */
  public enum Outcome {
    OK,
    /** Something does not work, or will not as one might expect. */
    WARNING,
    /** Ambit does not work so. */
    ERROR
  }

  /**
   * A check.
   *
   * @param about Cluster, Node, Access, Mesh, … for people to find their way
   * @param remedy what to do, where something is to be done
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Line(Outcome outcome, String about, String message, @Nullable String remedy) {}

  public CheckReport {
    checks = List.copyOf(checks);
  }

  public long count(Outcome outcome) {
    return checks.stream().filter(line -> line.outcome() == outcome).count();
  }

  /** Takes lines one after another. */
  public static final class Builder {
    private final List<Line> lines = new ArrayList<>();

    public Builder ok(String about, String message) {
      lines.add(new Line(Outcome.OK, about, message, null));
      return this;
    }

    public Builder warning(String about, String message, String remedy) {
      lines.add(new Line(Outcome.WARNING, about, message, remedy));
      return this;
    }

    public Builder error(String about, String message, String remedy) {
      lines.add(new Line(Outcome.ERROR, about, message, remedy));
      return this;
    }

    public CheckReport build() {
      return new CheckReport(lines);
    }
  }
}
