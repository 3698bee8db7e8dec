package dev.ambit.ztunnel.netns;

import dev.ambit.agent.rules.PodRules;
import dev.ambit.agent.rules.PodRuleset;

/** The node agent's own rules inside a pod, which lead its traffic to the ztunnel's sockets. */
final class PodRedirection {
  private static final PodRules RULES = new PodRules();

  private PodRedirection() {}

  static void apply(Pod pod) {
    install(pod, PodRuleset.CAPTURED);
  }

  /** From now on DNS is redirected too; the ztunnel must be listening. */
  static void applyWithDns(Pod pod) {
    install(pod, PodRuleset.CAPTURED_WITH_DNS);
  }

  private static void install(Pod pod, PodRuleset ruleset) {
    pod.host()
        .call(
            () -> {
              RULES.install(ruleset);
              return null;
            });
  }

  /** From now on nothing new is redirected; redirected connections go on. */
  static void stop(Pod pod) {
    install(pod, PodRuleset.DRAINING);
  }

  /** How many sockets in the pod still need the rules. */
  static long socketsInUse(Pod pod) {
    return pod.host().call(() -> RULES.connections() + RULES.listeners());
  }

  static void remove(Pod pod) {
    pod.host()
        .call(
            () -> {
              RULES.remove();
              return null;
            });
  }
}
