package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.model.MeshServices;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRoute;
import io.fabric8.istio.api.networking.v1.VirtualService;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The VirtualServices of the mesh, delegates joined with those that delegate to them. */
final class VirtualServices {
  private final String clusterDomain;

  /** Those that have hosts, the oldest first. */
  private final List<MeshVirtualService> all = new ArrayList<>();

  private final Map<String, List<MeshVirtualService>> byHost = new HashMap<>();
  private final List<MeshVirtualService> wildcards = new ArrayList<>();

  /** By "namespace/name", those that have none. */
  private final Map<String, Delegate> delegates = new LinkedHashMap<>();

  /** One that others delegate to, and by whom it is used. */
  private record Delegate(
      VirtualService object,
      Findings findings,
      List<MeshVirtualService> users,
      List<VirtualService> gatewayUsers) {}

  private VirtualServices(String clusterDomain) {
    this.clusterDomain = clusterDomain;
  }

  /** Indexes them; those of another control plane's revision are left out. */
  static VirtualServices of(Collection<VirtualService> objects, MeshSettings settings) {
    VirtualServices index = new VirtualServices(settings.clusterDomain());
    List<VirtualService> ours =
        objects.stream()
            .filter(Revision::isOurs)
            .filter(object -> object.getSpec() != null)
            .sorted(DestinationRules.AGE)
            .toList();
    ours.stream()
        .filter(object -> orEmpty(object.getSpec().getHosts()).isEmpty())
        .forEach(
            object ->
                index.delegates.put(
                    key(object.getMetadata().getNamespace(), object.getMetadata().getName()),
                    new Delegate(object, new Findings(), new ArrayList<>(), new ArrayList<>())));
    ours.stream()
        .filter(object -> !orEmpty(object.getSpec().getHosts()).isEmpty())
        .forEach(index::add);
    return index;
  }

  private static String key(String namespace, String name) {
    return namespace + "/" + name;
  }

  private void add(VirtualService object) {
    String namespace = object.getMetadata().getNamespace();
    boolean mesh = RequestMatches.isForMesh(object.getSpec().getGateways());
    Findings findings = new Findings();
    findings.unknown("spec", object.getSpec().getAdditionalProperties());
    List<HttpRule> rules = new ArrayList<>();
    List<Delegate> used = new ArrayList<>();
    List<HTTPRoute> http = orEmpty(object.getSpec().getHttp());
    for (int i = 0; i < http.size(); i++) {
      String path = "spec.http[" + i + "]";
      HTTPRoute rule = http.get(i);
      if (rule.getDelegate() == null) {
        rules.add(new HttpRule(rule, namespace, path, findings));
        continue;
      }
      Optional<Delegate> delegate = delegate(object, path, rule, findings);
      delegate.ifPresent(used::add);
      if (mesh && delegate.isPresent()) {
        rules.addAll(joined(object, rule, delegate.get()));
      }
    }
    if (!mesh) {
      used.forEach(delegate -> delegate.gatewayUsers().add(object));
      return;
    }
    List<String> hosts =
        object.getSpec().getHosts().stream()
            .map(host -> Hosts.resolve(host, namespace, clusterDomain))
            .toList();
    MeshVirtualService service = new MeshVirtualService(all.size(), object, hosts, rules, findings);
    used.forEach(delegate -> delegate.users().add(service));
    all.add(service);
    if (hosts.stream().anyMatch(Hosts::isWildcard)) {
      wildcards.add(service);
    }
    hosts.stream()
        .filter(host -> !Hosts.isWildcard(host))
        .distinct()
        .forEach(host -> byHost.computeIfAbsent(host, _ -> new ArrayList<>()).add(service));
  }

  private Optional<Delegate> delegate(
      VirtualService root, String path, HTTPRoute rule, Findings findings) {
    String own = root.getMetadata().getNamespace();
    String named = rule.getDelegate().getNamespace();
    String namespace = named == null || named.isEmpty() ? own : named;
    String name = Objects.requireNonNullElse(rule.getDelegate().getName(), "");
    Delegate delegate = delegates.get(key(namespace, name));
    if (delegate == null) {
      findings.add(
          path + ".delegate",
          "there is no VirtualService "
              + namespace
              + "/"
              + name
              + " without hosts, so this rule is left out");
      return Optional.empty();
    }
    if (!Exports.reach(delegate.object().getSpec().getExportTo(), namespace, own)) {
      findings.add(
          path + ".delegate",
          "VirtualService "
              + namespace
              + "/"
              + name
              + " is not exported to "
              + own
              + ", so this rule is left out");
      return Optional.empty();
    }
    if (!orEmpty(rule.getRoute()).isEmpty() || rule.getRedirect() != null) {
      findings.add(path, "route and redirect have no effect beside delegate");
    }
    return Optional.of(delegate);
  }

  private static List<HttpRule> joined(VirtualService root, HTTPRoute rule, Delegate delegate) {
    List<HttpRule> joined = new ArrayList<>();
    Findings findings = delegate.findings();
    String namespace = delegate.object().getMetadata().getNamespace();
    List<HTTPRoute> http = orEmpty(delegate.object().getSpec().getHttp());
    for (int i = 0; i < http.size(); i++) {
      String path = "spec.http[" + i + "]";
      if (http.get(i).getDelegate() != null) {
        findings.add(path + ".delegate", "a delegate cannot delegate; this rule is left out");
        continue;
      }
      Optional<HTTPRoute> both = Delegation.join(rule, http.get(i));
      if (both.isEmpty()) {
        findings.add(
            path + ".match",
            "is not narrower than that of "
                + root.getMetadata().getNamespace()
                + "/"
                + root.getMetadata().getName()
                + ", which delegates to it; this rule is left out");
      } else {
        joined.add(new HttpRule(both.get(), namespace, path, findings));
      }
    }
    if (!orEmpty(delegate.object().getSpec().getTcp()).isEmpty()
        || !orEmpty(delegate.object().getSpec().getTls()).isEmpty()) {
      findings.add("spec.tcp", "only http can be delegated");
    }
    return joined;
  }

  /** Those for which a name of a service is among their hosts, the oldest first. */
  List<MeshVirtualService> overlapping(String hostname) {
    if (Hosts.isWildcard(hostname)) {
      return all.stream().filter(each -> each.overlaps(hostname)).toList();
    }
    List<MeshVirtualService> found = new ArrayList<>(byHost.getOrDefault(hostname, List.of()));
    wildcards.stream()
        .filter(each -> !found.contains(each) && each.overlaps(hostname))
        .forEach(found::add);
    found.sort(Comparator.comparingInt(MeshVirtualService::ordinal));
    return found;
  }

  /** What became of each of them, once all services have been gone through. */
  List<TrafficStatus> statuses(MeshServices services, Collection<BoundService> bound) {
    Map<String, Boolean> hasWaypoint = new HashMap<>();
    bound.forEach(each -> hasWaypoint.put(each.service().hostname(), true));
    List<TrafficStatus> statuses = new ArrayList<>();
    all.forEach(each -> statuses.add(status(each, services, hasWaypoint)));
    delegates.values().forEach(delegate -> status(delegate).ifPresent(statuses::add));
    return statuses;
  }

  private static TrafficStatus status(
      MeshVirtualService each, MeshServices services, Map<String, Boolean> hasWaypoint) {
    for (int i = 0; i < each.hosts().size(); i++) {
      String host = each.hosts().get(i);
      if (Hosts.isWildcard(host) || each.enforced().contains(host)) {
        continue;
      }
      if (!each.obstacles().containsKey(host)) {
        each.obstacles().put(host, obstacle(each, host, services, hasWaypoint));
      }
      if (!each.enforced().isEmpty()) {
        each.findings().add("spec.hosts[" + i + "]", each.obstacles().get(host).message());
      }
    }
    if (!each.enforced().isEmpty()) {
      return TrafficStatus.enforced(each.object(), each.enforced(), each.findings().all());
    }
    if (each.obstacles().isEmpty()) {
      return TrafficStatus.rejected(
          each.object(),
          "AncestorNotBound",
          "no service of these hosts has a waypoint, so nothing enforces this; bind one by the label istio.io/use-waypoint");
    }
    // The first of its hosts tells best what is wrong.
    MeshVirtualService.Obstacle first =
        each.hosts().stream()
            .filter(each.obstacles()::containsKey)
            .findFirst()
            .map(each.obstacles()::get)
            .orElseGet(() -> each.obstacles().values().iterator().next());
    return TrafficStatus.rejected(
        each.object(),
        first.reason(),
        String.join(
            "; ",
            new TreeSet<>(
                each.obstacles().values().stream()
                    .map(MeshVirtualService.Obstacle::message)
                    .limit(20)
                    .toList())),
        each.findings().all());
  }

  private static MeshVirtualService.Obstacle obstacle(
      MeshVirtualService each,
      String host,
      MeshServices services,
      Map<String, Boolean> hasWaypoint) {
    if (services.answeringTo(host, each.namespace()).isEmpty()) {
      return new MeshVirtualService.Obstacle("TargetNotFound", "there is no service " + host);
    }
    return hasWaypoint.containsKey(host)
        ? new MeshVirtualService.Obstacle(
            "UnsupportedValue", "no rule applies to a port of " + host)
        : new MeshVirtualService.Obstacle(
            "AncestorNotBound",
            host
                + " has no waypoint, so nothing enforces this for it; bind it by the label istio.io/use-waypoint");
  }

  private static Optional<TrafficStatus> status(Delegate delegate) {
    if (delegate.users().isEmpty()) {
      return delegate.gatewayUsers().isEmpty()
          ? Optional.of(
              TrafficStatus.rejected(
                  delegate.object(),
                  "AncestorNotBound",
                  "it has no hosts, and no VirtualService delegates to it"))
          : Optional.empty();
    }
    TreeSet<String> enforced = new TreeSet<>();
    delegate.users().forEach(user -> enforced.addAll(user.enforced()));
    return Optional.of(
        enforced.isEmpty()
            ? TrafficStatus.rejected(
                delegate.object(),
                "AncestorNotBound",
                "no VirtualService that delegates to it is enforced")
            : TrafficStatus.enforced(delegate.object(), enforced, delegate.findings().all()));
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
