package dev.ambit.operator.model;

import dev.ambit.protocol.security.Match;

/** What one alternative of a clause comes to at layer 4. */
sealed interface Term {
  /** It never matches, or whether it does cannot be known and an ALLOW policy asks. */
  record Never() implements Term {}

  /** It always matches, or whether it does cannot be known and a DENY policy asks. */
  record Always() implements Term {}

  /** It matches where this does; never the empty match, which ztunnels skip. */
  record Holds(Match match) implements Term {}
}
