package dev.ambit.ztunnel.policy;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.Policy.Action;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Policies that speak for the same workloads, arranged by the callers that they name: a connection
 * is then compared with those alone that could match it, of however many there are.
 */
final class PolicyGroup {
  private static final Policy[] NOTHING = {};

  static final PolicyGroup EMPTY = new PolicyGroup(NOTHING);

  private final boolean empty;
  private final boolean allowing;
  private final boolean enforced;
  private final Policy[] ofAnyCaller;
  private final Map<String, Policy[]> ofCaller = new HashMap<>();

  /**
   * @param policies in the order in which they are to be reported
   */
  PolicyGroup(Policy[] policies) {
    List<Policy> any = new ArrayList<>();
    Map<String, List<Policy>> named = new HashMap<>();
    boolean allows = false;
    boolean enforces = false;
    for (Policy policy : policies) {
      Set<String> callers = policy.callers();
      // A dry-run policy is reported where it matches nothing, too.
      if (policy.dryRun() || callers == null) {
        any.add(policy);
      } else {
        for (String caller : callers) {
          named.computeIfAbsent(caller, c -> new ArrayList<>(1)).add(policy);
        }
      }
      enforces |= !policy.dryRun();
      allows |= !policy.dryRun() && policy.action() == Action.ALLOW;
    }
    empty = policies.length == 0;
    allowing = allows;
    enforced = enforces;
    ofAnyCaller = any.toArray(Policy[]::new);
    named.forEach((caller, all) -> ofCaller.put(caller, all.toArray(Policy[]::new)));
  }

  boolean isEmpty() {
    return empty;
  }

  /** Whether one of them is enforced. */
  boolean isEnforced() {
    return enforced;
  }

  /** Whether one of them allows and is enforced, so that some policy has to. */
  boolean isAllowing() {
    return allowing;
  }

  /** Those that could match whoever calls, and those in dry-run. */
  Policy[] ofAnyCaller() {
    return ofAnyCaller;
  }

  /** Those besides that could match {@code caller}. */
  Policy[] of(@Nullable Identity caller) {
    return caller == null || ofCaller.isEmpty()
        ? NOTHING
        : ofCaller.getOrDefault(caller.principal(), NOTHING);
  }
}
