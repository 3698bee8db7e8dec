package dev.ambit.ztunnel.policy;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.state.InvalidResourceException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * One authorization policy, compiled once so that judging a connection only compares.
 *
 * @param name {@code namespace/name}
 * @param namespace the policy's namespace
 * @param scope which workloads it speaks for
 * @param action what a match does
 * @param dryRun judged and reported, never enforced
 * @param callers the principals of which a caller has to be one for any rule to match; null where
 *     others may match, too
 * @param proto the control plane's form, for inspection
 * @param complaint what of it was not understood, and so made it stricter; null where all was
 */
public record Policy(
    String name,
    String namespace,
    Scope scope,
    Action action,
    boolean dryRun,
    List<Predicate<PolicyInput>> rules,
    @Nullable Set<String> callers,
    Authorization proto,
    @Nullable String complaint) {

  private static final String PLAINTEXT_WATCH = "ambit_plaintext_watch";

  /** Which workloads a policy speaks for. */
  public enum Scope {
    /** All of the mesh. */
    MESH,
    /** Those of the policy's namespace. */
    NAMESPACE,
    /** Those that refer to it. */
    SELECTED
  }

  /** What a match does. */
  public enum Action {
    ALLOW,
    DENY
  }

  /**
   * Whether it is there for plain datagrams to be seen, and denies nothing. Ambit's control plane
   * has pods refer to it while it waits for the last of their plain text.
   */
  public boolean watchesPlaintext() {
    return PLAINTEXT_WATCH.equals(proto.getName());
  }

  /** Whether any rule matches; a policy without rules never does. */
  boolean matches(PolicyInput input) {
    for (int i = 0; i < rules.size(); i++) {
      if (rules.get(i).test(input)) {
        return true;
      }
    }
    return false;
  }

  /** As {@link #of(Authorization, TrustDomains)}, where every trust domain is for itself. */
  public static Policy of(Authorization proto) {
    return of(proto, TrustDomains.NO_ALIASES);
  }

  /**
   * Compiles the control plane's form. What is not understood makes the policy stricter: an unknown
   * action denies all, an unknown scope is the policy's namespace, where the policy then allows
   * nobody, and an unknown condition never holds in a rule that allows and always in one that
   * denies.
   *
   * @param domains under which principals a caller may be named
   * @throws InvalidResourceException where it has no name to be kept by
   */
  public static Policy of(Authorization proto, TrustDomains domains) {
    String name = proto.getNamespace() + "/" + proto.getName();
    if (proto.getName().isEmpty()) {
      throw new InvalidResourceException("policy '" + name + "' has no name");
    }
    List<String> unknown = new ArrayList<>(0);
    Scope scope =
        switch (proto.getScope()) {
          case GLOBAL -> Scope.MESH;
          case NAMESPACE -> Scope.NAMESPACE;
          case WORKLOAD_SELECTOR -> Scope.SELECTED;
          case UNRECOGNIZED -> {
            unknown.add("scope " + proto.getScopeValue());
            yield Scope.NAMESPACE;
          }
        };
    Action action =
        switch (proto.getAction()) {
          case ALLOW -> Action.ALLOW;
          case DENY -> Action.DENY;
          case UNRECOGNIZED -> {
            unknown.add("action " + proto.getActionValue());
            yield Action.DENY;
          }
        };
    List<Predicate<PolicyInput>> rules =
        new PolicyRules(action == Action.DENY, domains, unknown).compile(proto);
    if (proto.getAction() == dev.ambit.protocol.security.Action.UNRECOGNIZED) {
      rules = List.of(input -> true);
    } else if (proto.getScope() == dev.ambit.protocol.security.Scope.UNRECOGNIZED
        && action == Action.ALLOW) {
      rules = List.of();
    }
    return new Policy(
        name,
        proto.getNamespace(),
        scope,
        action,
        proto.getDryRun(),
        rules,
        unknown.isEmpty() && domains.aliases().isEmpty() ? PolicyRules.callers(proto) : null,
        proto,
        unknown.isEmpty()
            ? null
            : "policy '"
                + name
                + "' is stricter than written, since not known are: "
                + String.join("; ", unknown));
  }
}
