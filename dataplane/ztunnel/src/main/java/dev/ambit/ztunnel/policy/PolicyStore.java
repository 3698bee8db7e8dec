package dev.ambit.ztunnel.policy;

import dev.ambit.ztunnel.policy.Policy.Action;
import dev.ambit.ztunnel.policy.Policy.Scope;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The policies that the control plane has told of, and the verdicts that follow: any match of a
 * denying policy denies; else, where there is no allowing policy, all is allowed; else a match of
 * one of them is needed. One thread at a time applies updates; verdicts never block.
 */
public final class PolicyStore implements Authorizer {
  private final MeshStore mesh;
  private final DryRunObserver dryRuns;
  private final Map<String, Policy> byName = new ConcurrentHashMap<>();
  private final Map<String, PolicyGroup> ofNamespace = new ConcurrentHashMap<>();
  private volatile PolicyGroup ofMesh = PolicyGroup.EMPTY;
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();

  /**
   * @param mesh tells which policies a workload refers to now
   */
  public PolicyStore(MeshStore mesh, DryRunObserver dryRuns) {
    this.mesh = mesh;
    this.dryRuns = dryRuns;
    mesh.onPolicyReferencesChanged(this::changed);
  }

  /**
   * Applies one response of the control plane: what is new or changed, then what is gone.
   *
   * @param removed resource names, {@code namespace/name}
   */
  public synchronized void apply(Collection<Policy> changedPolicies, Collection<String> removed) {
    Set<String> namespaces = new HashSet<>();
    boolean mesh = false;
    for (Policy policy : changedPolicies) {
      Policy old = byName.put(policy.name(), policy);
      mesh |= touch(policy, namespaces) | touch(old, namespaces);
    }
    for (String name : removed) {
      mesh |= touch(byName.remove(name), namespaces);
    }
    if (!namespaces.isEmpty()) {
      regroup(namespaces);
    }
    if (mesh) {
      ofMesh = new PolicyGroup(select(p -> p.scope() == Scope.MESH));
    }
    if (!changedPolicies.isEmpty() || !removed.isEmpty()) {
      changed();
    }
  }

  private static boolean touch(@Nullable Policy policy, Set<String> namespaces) {
    if (policy == null) {
      return false;
    }
    return switch (policy.scope()) {
      case MESH -> true;
      case NAMESPACE -> {
        namespaces.add(policy.namespace());
        yield false;
      }
      case SELECTED -> false;
    };
  }

  /** One pass over all policies, however many namespaces a response changes. */
  private void regroup(Set<String> namespaces) {
    Map<String, List<Policy>> grouped = new HashMap<>();
    for (Policy policy :
        select(p -> p.scope() == Scope.NAMESPACE && namespaces.contains(p.namespace()))) {
      grouped.computeIfAbsent(policy.namespace(), n -> new ArrayList<>()).add(policy);
    }
    for (String namespace : namespaces) {
      List<Policy> policies = grouped.get(namespace);
      if (policies == null) {
        ofNamespace.remove(namespace);
      } else {
        ofNamespace.put(namespace, new PolicyGroup(policies.toArray(Policy[]::new)));
      }
    }
  }

  private Policy[] select(java.util.function.Predicate<Policy> which) {
    return byName.values().stream()
        .filter(which)
        .sorted(Comparator.comparing(Policy::name))
        .toArray(Policy[]::new);
  }

  /** All policies, for inspection. */
  public Collection<Policy> policies() {
    return byName.values();
  }

  @Override
  public Verdict authorize(PolicyInput input) {
    return judge(input, true);
  }

  @Override
  public Verdict reauthorize(PolicyInput input) {
    return judge(input, false);
  }

  @Override
  public boolean guards(MeshWorkload workload) {
    MeshWorkload known = mesh.workload(workload.uid());
    MeshWorkload destination = known == null ? workload : known;
    if (ofMesh.isEnforced()
        || ofNamespace.getOrDefault(destination.namespace(), PolicyGroup.EMPTY).isEnforced()) {
      return true;
    }
    for (String reference : destination.authorizationPolicies()) {
      Policy policy = byName.get(reference);
      if (policy == null || !policy.dryRun()) {
        return true;
      }
    }
    return false;
  }

  private Verdict judge(PolicyInput input, boolean observe) {
    MeshWorkload known = mesh.workload(input.destination().uid());
    MeshWorkload destination = known == null ? input.destination() : known;
    PolicyGroup mesh = ofMesh;
    PolicyGroup namespace = ofNamespace.getOrDefault(destination.namespace(), PolicyGroup.EMPTY);
    List<String> references = destination.authorizationPolicies();
    if (mesh.isEmpty() && namespace.isEmpty() && references.isEmpty()) {
      return Verdict.ALLOWED;
    }
    Policy[] selected = new Policy[references.size()];
    for (int i = 0; i < selected.length; i++) {
      String reference = references.get(i);
      Policy policy = byName.get(reference);
      if (policy == null) {
        return new Verdict.Denied(
            reference, "policy " + reference + " selects the workload but is not known");
      }
      selected[i] = policy;
    }
    Judgement judgement = new Judgement(input);
    judgement.weigh(mesh);
    judgement.weigh(namespace);
    judgement.weigh(selected);
    if (observe) {
      judgement.report(dryRuns);
    }
    return judgement.verdict();
  }

  @Override
  public Registration onChange(Runnable listener) {
    listeners.add(listener);
    return () -> listeners.remove(listener);
  }

  private void changed() {
    listeners.forEach(Runnable::run);
  }

  /** The weighing of one connection. */
  private static final class Judgement {
    private final PolicyInput input;
    private @Nullable Policy denying;
    private boolean needsAllowance;
    private boolean allowed;
    private @Nullable List<Policy> dryDenying;
    private @Nullable List<Policy> dryAllowing;
    private boolean dryAllowed;

    Judgement(PolicyInput input) {
      this.input = input;
    }

    void weigh(PolicyGroup group) {
      boolean open = denying == null;
      weigh(group.ofAnyCaller());
      Policy first = denying;
      if (open) {
        denying = null;
      }
      weigh(group.of(input.source()));
      // Of those that deny, the first by name is told.
      if (open && first != null && (denying == null || comesBefore(first, denying))) {
        denying = first;
      }
      // Also where those that allow name other callers.
      needsAllowance |= group.isAllowing();
    }

    private static boolean comesBefore(Policy one, Policy other) {
      return one.name().compareTo(other.name()) < 0;
    }

    void weigh(Policy[] policies) {
      for (Policy policy : policies) {
        if (policy.dryRun()) {
          weighDry(policy);
        } else if (policy.action() == Action.DENY) {
          if (denying == null && policy.matches(input)) {
            denying = policy;
          }
        } else {
          needsAllowance = true;
          allowed = allowed || policy.matches(input);
        }
      }
    }

    private void weighDry(Policy policy) {
      boolean matches = policy.matches(input);
      switch (policy.action()) {
        case DENY -> {
          if (matches) {
            dryDenying = add(dryDenying, policy);
          }
        }
        case ALLOW -> {
          dryAllowing = add(dryAllowing, policy);
          dryAllowed |= matches;
        }
      }
    }

    private static List<Policy> add(@Nullable List<Policy> list, Policy policy) {
      List<Policy> all = list == null ? new ArrayList<>() : list;
      all.add(policy);
      return all;
    }

    void report(DryRunObserver observer) {
      if (dryDenying != null) {
        for (Policy policy : dryDenying) {
          observer.judged(policy.name(), true, input);
        }
      }
      if (dryAllowing != null) {
        for (Policy policy : dryAllowing) {
          observer.judged(policy.name(), !(allowed || dryAllowed), input);
        }
      }
    }

    Verdict verdict() {
      if (denying != null) {
        return new Verdict.Denied(denying.name(), "a rule of it matches");
      }
      if (needsAllowance && !allowed) {
        return new Verdict.Denied("", "no policy allows it, and there are allowing policies");
      }
      return Verdict.ALLOWED;
    }
  }
}
