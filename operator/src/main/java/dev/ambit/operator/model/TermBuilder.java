package dev.ambit.operator.model;

import dev.ambit.protocol.security.Match;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One match in the making: the conjunction of its fields. What cannot be decided at layer 4 is
 * rounded to the safe side: down for ALLOW, so that it matches only what surely matches; up for
 * DENY, so that it matches all that might.
 */
final class TermBuilder {
  /** Which way to round. */
  enum Side {
    ALLOW,
    DENY
  }

  private final Side side;
  private final List<PolicyReport.Finding> findings;
  private final Match.Builder match = Match.newBuilder();
  private boolean never;
  private boolean touched;

  TermBuilder(Side side, List<PolicyReport.Finding> findings) {
    this.side = side;
    this.findings = findings;
  }

  Match.Builder match() {
    return match;
  }

  /** Whether no field was set at all. */
  boolean untouched() {
    return !touched;
  }

  /** A field that holds where any of its values does. */
  <T> TermBuilder any(
      String path,
      @Nullable List<String> values,
      Function<String, Optional<T>> reader,
      Consumer<T> field) {
    if (values == null || values.isEmpty()) {
      return this;
    }
    touched = true;
    Values<T> read = read(path, values, reader);
    switch (side) {
      case ALLOW -> {
        // The values that are understood still allow; if there is none, nothing is allowed.
        read.understood().forEach(field);
        never |= read.understood().isEmpty();
      }
      case DENY -> {
        // One value that is not understood might match anything: the field no longer narrows.
        if (read.all()) {
          read.understood().forEach(field);
        }
      }
    }
    return this;
  }

  /** The same for values that each stand for several. */
  <T> TermBuilder anyOfAll(
      String path,
      @Nullable List<String> values,
      Function<String, Optional<List<T>>> reader,
      Consumer<T> field) {
    return any(path, values, reader, all -> all.forEach(field));
  }

  /** The same for values that each stand for several. */
  <T> TermBuilder noneOfAll(
      String path,
      @Nullable List<String> values,
      Function<String, Optional<List<T>>> reader,
      Consumer<T> field) {
    return none(path, values, reader, all -> all.forEach(field));
  }

  /** A field that holds where none of its values does. */
  <T> TermBuilder none(
      String path,
      @Nullable List<String> values,
      Function<String, Optional<T>> reader,
      Consumer<T> field) {
    if (values == null || values.isEmpty()) {
      return this;
    }
    touched = true;
    Values<T> read = read(path, values, reader);
    switch (side) {
      case ALLOW -> {
        read.understood().forEach(field);
        never |= !read.all();
      }
      // An exception that is not understood is no exception.
      case DENY -> read.understood().forEach(field);
    }
    return this;
  }

  /** A field that only a waypoint can decide. */
  TermBuilder layer7(String path, @Nullable List<String> values) {
    return values == null || values.isEmpty() ? this : undecidable(path, "is seen only at layer 7");
  }

  /** A constraint of which nothing is known. */
  TermBuilder undecidable(String path, String why) {
    touched = true;
    never |= side == Side.ALLOW;
    report(path, why);
    return this;
  }

  Term build() {
    if (never) {
      return new Term.Never();
    }
    Match built = match.build();
    return built.equals(Match.getDefaultInstance()) ? new Term.Always() : new Term.Holds(built);
  }

  private record Values<T>(List<T> understood, boolean all) {}

  private <T> Values<T> read(
      String path, List<String> values, Function<String, Optional<T>> reader) {
    List<T> understood = new ArrayList<>();
    for (String value : values) {
      Optional<T> read = value == null ? Optional.empty() : reader.apply(value);
      if (read.isPresent()) {
        understood.add(read.get());
      } else {
        report(path, "\"" + value + "\" is not a value that layer 4 understands");
      }
    }
    return new Values<>(understood, understood.size() == values.size());
  }

  private void report(String path, String why) {
    findings.add(
        new PolicyReport.Finding(
            path,
            switch (side) {
              case ALLOW -> why + ", so it allows nothing";
              case DENY -> why + ", so it is taken to match and more is denied";
            }));
  }
}
