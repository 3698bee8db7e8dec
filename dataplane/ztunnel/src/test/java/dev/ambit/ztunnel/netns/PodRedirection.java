package dev.ambit.ztunnel.netns;

import dev.ambit.agent.rules.PodRules;
import dev.ambit.agent.rules.PodRuleset;

/** The node agent's own rules inside a pod, which lead its traffic to the ztunnel's sockets. */
final class PodRedirection {
  private static final PodRules RULES = new PodRules();

  private PodRedirection() {}

  static void apply(Pod pod) {
    pod.host()
        .call(
            () -> {
              RULES.install(PodRuleset.CAPTURED);
              return null;
            });
  }

  /** From now on nothing new is redirected; redirected connections go on. */
  static void stop(Pod pod) {
    pod.host()
        .call(
            () -> {
              RULES.install(PodRuleset.DRAINING);
              return null;
            });
  }

  /** How many sockets in the pod still need the rules. */
  static long socketsInUse(Pod pod) {
    return pod.host().call(RULES::connections);
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
