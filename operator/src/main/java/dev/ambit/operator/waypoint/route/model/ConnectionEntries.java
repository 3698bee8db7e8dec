package dev.ambit.operator.waypoint.route.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.BackendRef;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRouteRule;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TLSRouteRule;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Translates one TLSRoute or TCPRoute. */
final class ConnectionEntries {
  private static final Pattern SERVER_NAME =
      Pattern.compile("(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");

  private ConnectionEntries() {}

  /**
   * A name that clients ask for in TLS, or none, and where those connections go.
   *
   * @param serverName empty for any
   */
  record Entry(String serverName, List<ConnectionShare> shares) {
    /** The API: characters of a name without wildcard, then characters. */
    Specificity specificity() {
      return Specificity.of(
          serverName.isEmpty() || serverName.startsWith("*") ? 0 : serverName.length(),
          serverName.length());
    }
  }

  static List<Entry> of(
      SourceRoute source,
      Optional<MeshService> parent,
      BackendReferences references,
      Problems problems) {
    return switch (source.object()) {
      case TLSRoute route when route.getSpec() != null -> {
        problems.unknown("spec", route.getSpec().getAdditionalProperties());
        List<TLSRouteRule> rules = Lists.orEmpty(route.getSpec().getRules());
        for (int i = 1; i < rules.size(); i++) {
          problems.unenforced("spec.rules[" + i + "]", "the first rule takes all connections");
        }
        List<ConnectionShare> shares =
            rules.isEmpty()
                ? List.of()
                : shares(
                    source,
                    parent,
                    references,
                    rules.getFirst().getBackendRefs(),
                    problems.rule(0, Optional.ofNullable(rules.getFirst().getName())));
        yield names(source.hostnames(), problems).stream()
            .map(name -> new Entry(name, shares))
            .toList();
      }
      case TCPRoute route when route.getSpec() != null -> {
        problems.unknown("spec", route.getSpec().getAdditionalProperties());
        List<TCPRouteRule> rules = Lists.orEmpty(route.getSpec().getRules());
        for (int i = 1; i < rules.size(); i++) {
          problems.unenforced("spec.rules[" + i + "]", "the first rule takes all connections");
        }
        List<ConnectionShare> shares =
            rules.isEmpty()
                ? List.of()
                : shares(
                    source,
                    parent,
                    references,
                    rules.getFirst().getBackendRefs(),
                    problems.rule(0, Optional.ofNullable(rules.getFirst().getName())));
        yield List.of(new Entry("", shares));
      }
      default -> List.of();
    };
  }

  private static List<String> names(List<String> hostnames, Problems problems) {
    if (hostnames.isEmpty()) {
      return List.of("");
    }
    List<String> names = new ArrayList<>();
    for (int i = 0; i < hostnames.size(); i++) {
      String name = hostnames.get(i).toLowerCase(Locale.ROOT);
      if (name.length() <= 253 && SERVER_NAME.matcher(name).matches()) {
        names.add(name);
      } else {
        problems.unenforced(
            "spec.hostnames[" + i + "]", "\"" + hostnames.get(i) + "\" is not a host name");
      }
    }
    return names;
  }

  private static List<ConnectionShare> shares(
      SourceRoute source,
      Optional<MeshService> parent,
      BackendReferences references,
      @Nullable List<BackendRef> backends,
      Problems.Rule problem) {
    List<ConnectionShare> shares = new ArrayList<>();
    List<BackendRef> all = Lists.orEmpty(backends);
    for (int i = 0; i < all.size(); i++) {
      BackendRef reference = all.get(i);
      String field = "backendRefs[" + i + "]";
      problem.unknown(field, reference.getAdditionalProperties());
      int weight = reference.getWeight() == null ? 1 : reference.getWeight();
      if (weight < 0 || weight > 1_000_000) {
        problem.unsupported(field + ".weight", "is not from 0 to 1000000");
        continue;
      }
      Optional<Backend> backend =
          switch (references.resolve(
              source,
              parent,
              new BackendReferences.Reference(
                  reference.getGroup(),
                  reference.getKind(),
                  reference.getNamespace(),
                  reference.getName(),
                  reference.getPort()))) {
            case BackendReferences.Resolution.Found(Backend found) -> Optional.of(found);
            case BackendReferences.Resolution.Failed(String reason, String message) -> {
              problem.unresolved(reason, field, message);
              yield Optional.empty();
            }
          };
      shares.add(new ConnectionShare(backend, weight));
    }
    return shares;
  }
}
