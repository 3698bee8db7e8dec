package dev.ambit.operator.waypoint.security.model;

/**
 * When a rule matches: both must hold.
 *
 * @param source who sends and what they carry
 * @param operation what they ask for
 */
record RuleCondition(String name, Condition source, Condition operation) {
  /** In one. */
  Condition whole() {
    return Condition.all(java.util.List.of(source, operation));
  }

  boolean never() {
    return whole().equals(Condition.NEVER);
  }
}
