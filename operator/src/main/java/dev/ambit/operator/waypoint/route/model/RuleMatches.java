package dev.ambit.operator.waypoint.route.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What the matches of a rule have in common, whatever the kind of its route. */
final class RuleMatches {
  private RuleMatches() {}

  /** Translates one match, which is that field of the rule. */
  @FunctionalInterface
  interface Translation<M> {
    /** Empty where it cannot be asked for, which the rule's problems then say. */
    Optional<RequestMatch> of(M match, String field);
  }

  /**
   * Translates all of a rule.
   *
   * @param whole the match that a rule without any has
   * @return those that can be asked for
   */
  static <M> List<RequestMatch> of(List<M> matches, M whole, Translation<M> translation) {
    if (matches.isEmpty()) {
      return translation.of(whole, "matches").stream().toList();
    }
    List<RequestMatch> usable = new ArrayList<>();
    for (int i = 0; i < matches.size(); i++) {
      translation.of(matches.get(i), "matches[" + i + "]").ifPresent(usable::add);
    }
    return usable;
  }

  /** Parts of a match, with what of each is not known here. */
  static final class Unknown {
    private final Map<String, List<String>> byField = new LinkedHashMap<>();

    Unknown add(String field, @Nullable Map<String, Object> properties) {
      byField
          .computeIfAbsent(field, _ -> new ArrayList<>())
          .addAll(Lists.orEmpty(properties).keySet());
      return this;
    }

    /**
     * Whether there is none. A condition that is not known cannot be left out: the match would fit
     * more than it says.
     */
    boolean isNone(Problems.Rule rule) {
      boolean none = true;
      for (Map.Entry<String, List<String>> part : byField.entrySet()) {
        for (String name : part.getValue()) {
          rule.unsupported(part.getKey() + "." + name, "is not known");
          none = false;
        }
      }
      return none;
    }
  }
}
