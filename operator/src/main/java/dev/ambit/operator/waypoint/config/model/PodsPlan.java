package dev.ambit.operator.waypoint.config.model;

import com.github.xds.core.v3.CidrRange;
import com.github.xds.type.matcher.v3.Matcher;
import com.github.xds.type.matcher.v3.StringMatcher;
import com.google.protobuf.Struct;
import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.FilterState;
import dev.ambit.operator.waypoint.security.model.ConnectSecurity;
import dev.ambit.operator.waypoint.telemetry.model.ChainTelemetry;
import dev.ambit.operator.waypoint.telemetry.model.TelemetryMetadata;
import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.Port;
import io.envoyproxy.envoy.config.listener.v3.Filter;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.route.v3.Route;
import io.envoyproxy.envoy.config.route.v3.RouteAction;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import io.envoyproxy.envoy.config.route.v3.RouteMatch;
import io.envoyproxy.envoy.config.route.v3.VirtualHost;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * What a waypoint does with connections that are addressed to pods themselves. They go where they
 * were addressed, and the server there has to be who the pod is; so there is a chain for each
 * identity.
 *
 * @param main chains of the listener that tunnels lead to
 * @param sniff chains of the one that finds out what connections are
 */
record PodsPlan(
    List<FilterChain> main,
    List<FilterChain> sniff,
    List<ChainMatch.Entry> mainEntries,
    List<ChainMatch.Entry> sniffEntries,
    List<RouteConfiguration> routes)
    implements ListenerPart {

  /** By which the resources of policies for pods are named. */
  static final String SLOTS = "pods";

  static final PodsPlan NONE = new PodsPlan(List.of(), List.of(), List.of(), List.of(), List.of());

  /**
   * What it is made from.
   *
   * @param judged whether policies hold for connections to pods: then those go to no port of which
   *     it is not known that it is one of theirs, unless they are HTTP
   * @param guarded services of the waypoint that have policies of their own: these hold at their
   *     ports of pods too, or addressing the pod would be a way around them
   */
  record Source(
      List<Member> pods, ChainTelemetry telemetry, boolean judged, Map<String, Guard> guarded) {
    Source {
      pods = List.copyOf(pods);
      guarded = Map.copyOf(guarded);
    }
  }

  /** They go where they were addressed, by clusters that each waypoint has. */
  @Override
  public Set<Backend> backends() {
    return Set.of();
  }

  /** What becomes of a port of pods because of services with policies of their own. */
  enum Guard {
    /** Their policies judge here as they do for the service. */
    JUDGES,
    /** They speak of the service's ports, which cannot be told from here: nobody is let in. */
    CLOSES
  }

  /** The service whose policies hold at a port; none where nobody may reach it. */
  private record Guarding(Optional<String> service) {}

  /** Those that are treated alike. */
  private record Group(
      String identity,
      String namespace,
      boolean tunnelled,
      Map<Integer, Boolean> ports,
      Map<Integer, Guarding> guards) {}

  private static Map<Integer, Guarding> guards(Source source, Member pod) {
    Map<Integer, Guarding> guards = new TreeMap<>();
    guarding(source.guarded().keySet(), pod)
        .forEach(
            (port, services) ->
                guards.put(
                    port,
                    new Guarding(
                        services.size() == 1
                                && source.guarded().get(services.getFirst()) == Guard.JUDGES
                            ? Optional.of(services.getFirst())
                            : Optional.empty())));
    return guards;
  }

  /** Of those services, the ones that have each port of a pod. */
  private static Map<Integer, List<String>> guarding(Set<String> guarded, Member pod) {
    Map<Integer, List<String>> guarding = new TreeMap<>();
    new TreeMap<>(pod.workload().getServicesMap())
        .forEach(
            (service, list) -> {
              if (guarded.contains(service)) {
                for (Port port : list.getPortsList()) {
                  List<String> services =
                      guarding.computeIfAbsent(port.getTargetPort(), _ -> new ArrayList<>());
                  if (!services.contains(service)) {
                    services.add(service);
                  }
                }
              }
            });
    return guarding;
  }

  /**
   * The services whose policies judge at ports of a pod, by port; none for those that are closed.
   */
  static Map<Integer, Optional<String>> judges(Source source, Member pod) {
    Map<Integer, Optional<String>> judges = new TreeMap<>();
    guards(source, pod).forEach((port, guarding) -> judges.put(port, guarding.service()));
    return judges;
  }

  static PodsPlan of(Source source) {
    Map<String, Map<Group, List<CidrRange>>> groups = new TreeMap<>();
    for (Member pod : source.pods()) {
      Group group =
          new Group(
              pod.tunnelled() ? pod.identity() : "",
              pod.workload().getNamespace(),
              pod.tunnelled(),
              ports(pod),
              guards(source, pod));
      for (String address : pod.addresses()) {
        groups
            .computeIfAbsent(suffix(pod), _ -> new HashMap<>())
            .computeIfAbsent(group, _ -> new ArrayList<>())
            .add(ChainMatch.range(address, address.indexOf(':') < 0 ? 32 : 128));
      }
    }
    List<FilterChain> main = new ArrayList<>();
    List<FilterChain> sniff = new ArrayList<>();
    List<ChainMatch.Entry> mainEntries = new ArrayList<>();
    List<ChainMatch.Entry> sniffEntries = new ArrayList<>();
    List<RouteConfiguration> routes = new ArrayList<>();
    groups.forEach(
        (suffix, alike) -> {
          Group first = alike.keySet().iterator().next();
          String http = "direct-http|" + suffix;
          String tcp = "direct-tcp|" + suffix;
          Struct metadata = TelemetryMetadata.podChain(first.namespace(), first.identity());
          String cluster = first.tunnelled() ? Tunnels.DIRECT : Tunnels.DIRECT_PLAIN;
          FilterChain connections =
              Chains.tcp(tcp, cluster, source.telemetry(), metadata, state(first));
          main.add(connections);
          sniff.add(connections);
          sniff.add(Chains.http(http, SLOTS, source.telemetry(), metadata, state(first)));
          routes.add(Chains.routes(http, virtualHosts(cluster)));
          alike.keySet().stream()
              .flatMap(group -> group.guards().values().stream())
              .flatMap(guarding -> guarding.service().stream())
              .distinct()
              .sorted()
              .forEach(
                  service -> {
                    String own = http + "|" + service;
                    sniff.add(
                        Chains.http(own, service, source.telemetry(), metadata, state(first)));
                    routes.add(Chains.routes(own, virtualHosts(cluster)));
                  });
          alike.entrySet().stream()
              .sorted(Map.Entry.comparingByValue(java.util.Comparator.comparing(Object::toString)))
              .forEach(
                  each -> {
                    mainEntries.add(
                        new ChainMatch.Entry(each.getValue(), inMain(each.getKey(), tcp)));
                    sniffEntries.add(
                        new ChainMatch.Entry(
                            each.getValue(), inSniff(source, each.getKey(), http, tcp)));
                  });
        });
    return new PodsPlan(main, sniff, mainEntries, sniffEntries, routes);
  }

  private static String suffix(Member pod) {
    return pod.workload().getNamespace()
        + "/"
        + (pod.tunnelled() ? pod.workload().getServiceAccount() : "");
  }

  /** Of the ports that services have there, whether they are ones of connections alone. */
  private static Map<Integer, Boolean> ports(Member pod) {
    Map<Integer, Boolean> ports = new TreeMap<>();
    pod.workload()
        .getServicesMap()
        .values()
        .forEach(
            list -> {
              for (Port port : list.getPortsList()) {
                if (port.getTargetPort() > 0) {
                  ports.merge(
                      port.getTargetPort(),
                      switch (port.getAppProtocol()) {
                        case TCP, TLS -> true;
                        case UNKNOWN, HTTP11, HTTP2, GRPC, UNRECOGNIZED -> false;
                      },
                      Boolean::logicalAnd);
                }
              }
            });
    return ports;
  }

  /** The ports, and what is declared to be spoken there, of which policies are to judge. */
  static Map<Integer, AppProtocol> declared(Member pod) {
    Map<Integer, AppProtocol> declared = new TreeMap<>();
    ports(pod)
        .forEach(
            (port, opaque) -> declared.put(port, opaque ? AppProtocol.TCP : AppProtocol.UNKNOWN));
    return declared;
  }

  private static Matcher.OnMatch inMain(Group group, String tcp) {
    Map<Integer, Matcher.OnMatch> opaque = new TreeMap<>();
    group
        .ports()
        .forEach(
            (port, connections) -> {
              if (connections) {
                opaque.put(port, ChainMatch.chain(tcp));
              }
            });
    group
        .guards()
        .forEach(
            (port, guarding) -> {
              if (guarding.service().isEmpty()) {
                opaque.put(port, ChainMatch.chain("none"));
              }
            });
    return ChainMatch.ports(opaque, ChainMatch.chain(ServicePlan.TO_SNIFF));
  }

  private static Matcher.OnMatch inSniff(Source source, Group group, String http, String tcp) {
    Matcher.OnMatch allowed =
        ChainMatch.first(
            List.of(
                ChainMatch.when(
                    ChainMatch.state(
                        ConnectSecurity.DETECTED_VERDICT,
                        StringMatcher.newBuilder().setExact(ConnectSecurity.ALLOWED).build()),
                    ChainMatch.chain(tcp))));
    Matcher.OnMatch known = ChainMatch.protocol(http, allowed);
    Map<Integer, Matcher.OnMatch> judged = new TreeMap<>();
    if (source.judged()) {
      group.ports().keySet().forEach(port -> judged.put(port, known));
    }
    group
        .guards()
        .forEach(
            (port, guarding) ->
                judged.put(
                    port,
                    guarding
                        .service()
                        .map(service -> ChainMatch.protocol(http + "|" + service, allowed))
                        .orElseGet(() -> ChainMatch.chain("none"))));
    return ChainMatch.ports(
        judged, source.judged() ? ChainMatch.protocol(http, ChainMatch.chain("none")) : known);
  }

  private static Stream<Filter> state(Group group) {
    return Stream.of(
        Envoy.setFilterState(
            group.tunnelled()
                ? List.of(
                    Envoy.shared(FilterState.DESTINATION, "%DOWNSTREAM_LOCAL_ADDRESS%"),
                    Envoy.shared(FilterState.UPSTREAM_NAMES, group.identity()))
                : List.of(Envoy.shared(FilterState.DESTINATION, "%DOWNSTREAM_LOCAL_ADDRESS%"))));
  }

  private static List<VirtualHost> virtualHosts(String cluster) {
    return List.of(
        VirtualHost.newBuilder()
            .setName("all")
            .addDomains("*")
            .addRoutes(
                Route.newBuilder()
                    .setName("default")
                    .setMatch(RouteMatch.newBuilder().setPrefix("/"))
                    .setRoute(
                        RouteAction.newBuilder()
                            .setCluster(cluster)
                            .setTimeout(Envoy.ZERO)
                            .setMaxStreamDuration(
                                RouteAction.MaxStreamDuration.newBuilder()
                                    .setGrpcTimeoutHeaderMax(Envoy.ZERO))))
            .build());
  }
}
