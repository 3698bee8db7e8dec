package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.Revision;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.istio.api.api.networking.v1alpha3.Subset;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicy;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicyPortTrafficPolicy;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * The DestinationRules of the mesh, to find what holds for a service. As in Istio, those of the
 * waypoint's namespace go before those of the service's, and these before those of the root
 * namespace; within a namespace the most specific host counts, and several rules for the same host
 * are one: subsets are added up, and the oldest traffic policy holds.
 */
public final class DestinationRules {
  private final String rootNamespace;

  /** By namespace and then by host, the oldest first. */
  private final Map<String, Map<String, List<Rule>>> rules = new HashMap<>();

  private record Rule(DestinationRule object, String host, Findings findings) {}

  private DestinationRules(String rootNamespace) {
    this.rootNamespace = rootNamespace;
  }

  /** Indexes them; those of another control plane's revision are left out. */
  public static DestinationRules of(Collection<DestinationRule> objects, MeshSettings settings) {
    DestinationRules index = new DestinationRules(settings.rootNamespace());
    objects.stream()
        .filter(Revision::isOurs)
        .filter(object -> object.getSpec() != null)
        .sorted(AGE)
        .forEach(
            object -> {
              String namespace = object.getMetadata().getNamespace();
              String host =
                  Hosts.resolve(
                      Objects.requireNonNullElse(object.getSpec().getHost(), ""),
                      namespace,
                      settings.clusterDomain());
              index
                  .rules
                  .computeIfAbsent(namespace, _ -> new HashMap<>())
                  .computeIfAbsent(host, _ -> new ArrayList<>())
                  .add(new Rule(object, host, new Findings()));
            });
    return index;
  }

  /** The oldest first, and by name where they are as old. */
  static final Comparator<io.fabric8.kubernetes.api.model.HasMetadata> AGE =
      Comparator.comparing(
              (io.fabric8.kubernetes.api.model.HasMetadata object) ->
                  Objects.requireNonNullElse(object.getMetadata().getCreationTimestamp(), ""))
          .thenComparing(object -> object.getMetadata().getNamespace())
          .thenComparing(object -> object.getMetadata().getName());

  /** What holds for a service at the waypoints of a namespace. */
  public ServicePolicy policy(MeshService service, String waypointNamespace) {
    List<Rule> merged = rules(service, waypointNamespace);
    if (merged.isEmpty()) {
      return ServicePolicy.NONE;
    }
    Optional<TrafficPolicy> policy =
        merged.stream()
            .flatMap(
                rule -> Optional.ofNullable(rule.object().getSpec().getTrafficPolicy()).stream())
            .findFirst();
    Map<String, Subset> subsets = new LinkedHashMap<>();
    merged.forEach(
        rule -> subsets(rule).forEach(each -> subsets.putIfAbsent(each.getName(), each)));
    return new ServicePolicy(
        merged.stream().map(rule -> ObjectReference.of(rule.object())).toList(),
        policy,
        List.copyOf(subsets.values()));
  }

  private static List<Subset> subsets(Rule rule) {
    List<Subset> subsets = rule.object().getSpec().getSubsets();
    return subsets == null
        ? List.of()
        : subsets.stream().filter(subset -> subset.getName() != null).toList();
  }

  private List<Rule> rules(MeshService service, String waypointNamespace) {
    Set<String> tried = new HashSet<>();
    for (String namespace : List.of(waypointNamespace, service.namespace(), rootNamespace)) {
      if (!tried.add(namespace)) {
        continue;
      }
      List<Rule> found =
          mostSpecific(rules.getOrDefault(namespace, Map.of()), service, waypointNamespace);
      if (!found.isEmpty()) {
        return found;
      }
    }
    return List.of();
  }

  private static List<Rule> mostSpecific(
      Map<String, List<Rule>> byHost, MeshService service, String waypointNamespace) {
    List<String> hosts = new ArrayList<>();
    hosts.add(service.hostname());
    byHost.keySet().stream()
        .filter(host -> Hosts.isWildcard(host) && Hosts.covers(host, service.hostname()))
        .sorted(Hosts::specificity)
        .forEach(hosts::add);
    for (String host : hosts) {
      List<Rule> holding =
          byHost.getOrDefault(host, List.of()).stream()
              .filter(rule -> holds(rule, waypointNamespace))
              .toList();
      if (!holding.isEmpty()) {
        return holding;
      }
    }
    return List.of();
  }

  private static boolean holds(Rule rule, String waypointNamespace) {
    var spec = rule.object().getSpec();
    return spec.getWorkloadSelector() == null
        && Exports.reach(
            spec.getExportTo(), rule.object().getMetadata().getNamespace(), waypointNamespace);
  }

  /**
   * What became of each of them.
   *
   * @param used by each rule, the host names for which it holds at some waypoint
   * @param bound services that have a waypoint
   */
  List<TrafficStatus> statuses(
      Map<ObjectReference, Set<String>> used, Collection<BoundService> bound) {
    List<TrafficStatus> statuses = new ArrayList<>();
    rules
        .values()
        .forEach(
            byHost ->
                byHost
                    .values()
                    .forEach(
                        sameHost ->
                            sameHost.forEach(
                                rule -> statuses.add(status(rule, sameHost, used, bound)))));
    return statuses;
  }

  private static TrafficStatus status(
      Rule rule,
      List<Rule> sameHost,
      Map<ObjectReference, Set<String>> used,
      Collection<BoundService> bound) {
    DestinationRule object = rule.object();
    Set<String> hostnames = used.getOrDefault(ObjectReference.of(object), Set.of());
    if (hostnames.isEmpty()) {
      return unused(rule, bound);
    }
    Findings findings = rule.findings();
    check(rule, sameHost.subList(0, sameHost.indexOf(rule)), findings);
    return TrafficStatus.enforced(object, hostnames, findings.all());
  }

  private static TrafficStatus unused(Rule rule, Collection<BoundService> bound) {
    var spec = rule.object().getSpec();
    if (spec.getWorkloadSelector() != null) {
      return TrafficStatus.rejected(
          rule.object(),
          "UnsupportedValue",
          "spec.workloadSelector: chooses among clients' sidecars, and waypoints are none; leave it out for waypoints");
    }
    List<BoundService> asking =
        bound.stream()
            .filter(each -> Hosts.covers(rule.host(), each.service().hostname()))
            .toList();
    List<BoundService> covered = asking.stream().filter(each -> each.past().isEmpty()).toList();
    if (covered.isEmpty() && !asking.isEmpty()) {
      return TrafficStatus.rejected(
          rule.object(),
          "AncestorNotBound",
          "nothing enforces this for "
              + asking.getFirst().service().hostname()
              + ": "
              + asking.getFirst().past().orElseThrow());
    }
    if (covered.isEmpty()) {
      return TrafficStatus.rejected(
          rule.object(),
          "AncestorNotBound",
          "no service of the host "
              + rule.host()
              + " has a waypoint, so nothing enforces this; bind one by the label istio.io/use-waypoint");
    }
    if (covered.stream().noneMatch(each -> holds(rule, each.waypointNamespace()))) {
      return TrafficStatus.rejected(
          rule.object(),
          "UnsupportedValue",
          "spec.exportTo: does not reach the namespaces of the waypoints of " + rule.host());
    }
    return TrafficStatus.rejected(
        rule.object(),
        "Overridden",
        "other DestinationRules go before it: those of the waypoint's namespace, of the service's, of the root namespace, in this order, and in one namespace those of the most specific host");
  }

  private static void check(Rule rule, List<Rule> older, Findings findings) {
    var spec = rule.object().getSpec();
    findings.unknown("spec", spec.getAdditionalProperties());
    if (spec.getTrafficPolicy() != null) {
      older.stream()
          .filter(
              each ->
                  each.object().getSpec().getWorkloadSelector() == null
                      && each.object().getSpec().getTrafficPolicy() != null)
          .findFirst()
          .ifPresent(
              each ->
                  findings.add(
                      "spec.trafficPolicy",
                      "the older "
                          + ObjectReference.of(each.object())
                          + " has one for the same host, which holds"));
      check("spec.trafficPolicy", spec.getTrafficPolicy(), findings);
    }
    List<Subset> subsets = spec.getSubsets() == null ? List.of() : spec.getSubsets();
    Set<String> names = new HashSet<>();
    older.forEach(each -> subsets(each).forEach(subset -> names.add(subset.getName())));
    for (int i = 0; i < subsets.size(); i++) {
      Subset subset = subsets.get(i);
      String path = "spec.subsets[" + i + "]";
      findings.unknown(path, subset.getAdditionalProperties());
      if (subset.getName() == null) {
        findings.add(path, "has no name");
      } else if (!names.add(subset.getName())) {
        findings.add(path, "there is one of that name before it, which holds");
      }
      if (subset.getTrafficPolicy() != null) {
        check(path + ".trafficPolicy", subset.getTrafficPolicy(), findings);
      }
    }
  }

  private static void check(String path, TrafficPolicy policy, Findings findings) {
    ClusterPolicies.check(path, PortPolicy.of(policy), findings);
    findings.unlessAbsent(path + ".proxyProtocol", policy.getProxyProtocol(), "is not supported");
    findings.unlessAbsent(path + ".tunnel", policy.getTunnel(), "is not supported");
    findings.unknown(path, policy.getAdditionalProperties());
    List<TrafficPolicyPortTrafficPolicy> ports =
        policy.getPortLevelSettings() == null ? List.of() : policy.getPortLevelSettings();
    for (int i = 0; i < ports.size(); i++) {
      String portPath = path + ".portLevelSettings[" + i + "]";
      if (ports.get(i).getPort() == null || ports.get(i).getPort().getNumber() == null) {
        findings.add(portPath + ".port", "has no number, so these settings hold for no port");
      }
      ClusterPolicies.check(portPath, PortPolicy.of(ports.get(i)), findings);
      findings.unknown(portPath, ports.get(i).getAdditionalProperties());
    }
  }
}
