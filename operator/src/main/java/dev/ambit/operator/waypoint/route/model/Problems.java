package dev.ambit.operator.waypoint.route.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What is not as a route has it, gathered while it is translated. */
final class Problems {
  /**
   * One of them.
   *
   * @param reason one word of the Gateway API
   */
  record Problem(String reason, String message) {}

  private final Set<Problem> unresolved = new LinkedHashSet<>();
  private final Set<String> unenforced = new LinkedHashSet<>();
  private final Map<String, Set<Problem>> invalid = new LinkedHashMap<>();
  private final Set<String> valid = new LinkedHashSet<>();

  /** Of one rule. */
  Rule rule(int index, Optional<String> name) {
    String path = "spec.rules[" + index + "]";
    return new Rule(path, name.map(text -> path + " (" + text + ")").orElse(path));
  }

  /** A reference that leads nowhere that it may lead. */
  void unresolved(String reason, String path, String message) {
    unresolved.add(new Problem(reason, path + ": " + message));
  }

  /** A field that changes nothing. */
  void unenforced(String path, String effect) {
    unenforced.add(path + ": " + effect);
  }

  /** Fields that this version of the Gateway API's model does not know. */
  void unknown(String path, Map<String, Object> fields) {
    Lists.orEmpty(fields).keySet().forEach(field -> unenforced(path + "." + field, "is not known"));
  }

  List<Problem> unresolved() {
    return List.copyOf(unresolved);
  }

  List<String> unenforced() {
    return List.copyOf(unenforced);
  }

  /** Of the rules that are not taken as they are, each once. */
  List<Problem> invalid() {
    List<Problem> all = new ArrayList<>();
    invalid.values().forEach(all::addAll);
    return all;
  }

  /** The rules that are not taken as they are. */
  List<String> invalidRules() {
    return List.copyOf(invalid.keySet());
  }

  boolean anyValid() {
    return valid.stream().anyMatch(rule -> !invalid.containsKey(rule));
  }

  /** What is wrong with one rule. */
  final class Rule {
    private final String path;
    private final String label;

    private Rule(String path, String label) {
      this.path = path;
      this.label = label;
      valid.add(label);
    }

    /** A field of it, by a path from the rule; "" for the rule itself. */
    String at(String field) {
      return field.isEmpty() ? path : path + "." + field;
    }

    /** Something in it cannot be done, so none of it is. */
    void invalid(String reason, String field, String message) {
      invalid
          .computeIfAbsent(label, _ -> new LinkedHashSet<>())
          .add(new Problem(reason, at(field) + ": " + message));
    }

    /** As {@link #invalid}, for a value. */
    void unsupported(String field, String message) {
      invalid(GatewayApi.UNSUPPORTED_VALUE, field, message);
    }

    void unresolved(String reason, String field, String message) {
      Problems.this.unresolved(reason, at(field), message);
    }

    void unenforced(String field, String effect) {
      Problems.this.unenforced(at(field), effect);
    }

    void unknown(String field, Map<String, Object> fields) {
      Problems.this.unknown(at(field), fields);
    }

    boolean isInvalid() {
      return invalid.containsKey(label);
    }
  }
}
