package dev.ambit.operator.waypoint.security.model;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What must be true of a request, or of a connection, for a rule to match it. */
sealed interface Condition {
  /** True or false of all. */
  record Constant(boolean holds) implements Condition {}

  /** All of them; at least two. */
  record All(List<Condition> conditions) implements Condition {}

  /** Any of them; at least two. */
  record Any(List<Condition> conditions) implements Condition {}

  /** The opposite. */
  record Not(Condition condition) implements Condition {}

  /** One that is looked at by itself. */
  sealed interface Atom extends Condition {}

  /** Of the client's SPIFFE URI, as its certificate proved it. */
  record Peer(TextMatch match) implements Atom {}

  /** Of the address that the connection comes from. */
  record SourceAddress(AddressBlock block) implements Atom {}

  /** Of the address that the request comes from, as trusted proxies in between tell it. */
  record RemoteAddress(AddressBlock block) implements Atom {}

  /** Of the address that the client went to. */
  record DestinationAddress(AddressBlock block) implements Atom {}

  /** Of the port that the client went to. */
  record DestinationPort(int port) implements Atom {}

  /** Of the name that the client asked for in its TLS handshake. */
  record ServerName(TextMatch match) implements Atom {}

  /** Of one of the values of a header, pseudo headers too. */
  record Header(String name, TextMatch match) implements Atom {}

  /** Of the path without its query. */
  record Path(TextMatch match) implements Atom {}

  /** Of what a filter has found out; a list matches where one of its elements does. */
  record Metadata(String filter, List<String> path, MetadataMatch match) implements Atom {}

  /** A condition on a value of metadata. */
  sealed interface MetadataMatch {
    /** A text, or a list with such a text. */
    record OfText(TextMatch match) implements MetadataMatch {}

    /** A list with such a text. */
    record OfElement(TextMatch match) implements MetadataMatch {}

    /** A boolean. */
    record OfBoolean(boolean value) implements MetadataMatch {}

    /** A number. */
    record OfNumber(double value) implements MetadataMatch {}

    /** Anything at all. */
    record Present() implements MetadataMatch {}
  }

  /** True of all. */
  Condition ALWAYS = new Constant(true);

  /** True of none. */
  Condition NEVER = new Constant(false);

  static Condition constant(boolean holds) {
    return holds ? ALWAYS : NEVER;
  }

  /** All of them, as simply as it can be said; of none it is true. */
  static Condition all(List<Condition> conditions) {
    Set<Condition> parts = new LinkedHashSet<>();
    for (Condition each : conditions) {
      switch (each) {
        case Constant(boolean holds) -> {
          if (!holds) {
            return NEVER;
          }
        }
        case All(List<Condition> inner) -> parts.addAll(inner);
        case Any _, Not _, Atom _ -> parts.add(each);
      }
    }
    return switch (parts.size()) {
      case 0 -> ALWAYS;
      case 1 -> parts.iterator().next();
      default -> new All(List.copyOf(new ArrayList<>(parts)));
    };
  }

  /** Any of them, as simply as it can be said; of none it is false. */
  static Condition any(List<Condition> conditions) {
    Set<Condition> parts = new LinkedHashSet<>();
    for (Condition each : conditions) {
      switch (each) {
        case Constant(boolean holds) -> {
          if (holds) {
            return ALWAYS;
          }
        }
        case Any(List<Condition> inner) -> parts.addAll(inner);
        case All _, Not _, Atom _ -> parts.add(each);
      }
    }
    return switch (parts.size()) {
      case 0 -> NEVER;
      case 1 -> parts.iterator().next();
      default -> new Any(List.copyOf(new ArrayList<>(parts)));
    };
  }

  static Condition not(Condition condition) {
    return switch (condition) {
      case Constant(boolean holds) -> constant(!holds);
      case Not(Condition inner) -> inner;
      case All _, Any _, Atom _ -> new Not(condition);
    };
  }
}
