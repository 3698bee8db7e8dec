package dev.ambit.ztunnel.local;

import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import com.google.protobuf.UInt32Value;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.ServiceAccountMatch;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.protocol.workload.ApplicationTunnel;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.IPFamilies;
import dev.ambit.protocol.workload.LoadBalancing;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.NamespacedHostname;
import dev.ambit.protocol.workload.NetworkAddress;
import dev.ambit.protocol.workload.NetworkMode;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.TunnelProtocol;
import dev.ambit.protocol.workload.WeightedWaypoint;
import dev.ambit.protocol.workload.Workload;
import dev.ambit.protocol.workload.WorkloadStatus;
import dev.ambit.protocol.workload.WorkloadType;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.ConstructNode;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/**
 * Workloads, services and policies as a document tells them, YAML or JSON, in the form that Istio's
 * ztunnel reads from {@code LOCAL_XDS_PATH}.
 *
 * @param workloads with the services that they are endpoints of
 */
public record LocalMesh(
    List<MeshWorkload> workloads, List<MeshService> services, List<Policy> policies) {
  /** Istio's writer tags the kind of a match: {@code !Exact text}. */
  private static final LoadSettings SETTINGS =
      LoadSettings.builder()
          .setTagConstructors(
              Map.of(
                  new Tag("!Exact"), tagged("Exact"),
                  new Tag("!Prefix"), tagged("Prefix"),
                  new Tag("!Suffix"), tagged("Suffix"),
                  new Tag("!Presence"), tagged("Presence")))
          .build();

  public LocalMesh {
    workloads = List.copyOf(workloads);
    services = List.copyOf(services);
    policies = List.copyOf(policies);
  }

  private static ConstructNode tagged(String kind) {
    return node -> Map.of(kind, node instanceof ScalarNode scalar ? scalar.getValue() : List.of());
  }

  /**
   * Reads a document.
   *
   * @param domains under which principals a caller may be named
   * @throws InvalidResourceException names the first place that cannot be used
   */
  public static LocalMesh parse(String document, TrustDomains domains) {
    Object root;
    try {
      root = new Load(SETTINGS).loadFromString(document);
    } catch (YamlEngineException e) {
      throw new InvalidResourceException("neither YAML nor JSON: " + e.getMessage());
    }
    Fields fields = Fields.of("", root);
    Map<String, Map<String, PortList>> endpoints = new HashMap<>();
    List<Service> services = new ArrayList<>();
    fields.objects("services", service -> services.add(service(service, endpoints)));
    List<MeshWorkload> workloads = new ArrayList<>();
    fields.objects(
        "workloads",
        workload -> {
          Workload.Builder proto = workload(workload);
          endpoints.getOrDefault(proto.getUid(), Map.of()).forEach(proto::putServices);
          workloads.add(MeshWorkload.of(proto.build()));
        });
    List<Policy> policies = new ArrayList<>();
    fields.objects("policies", policy -> policies.add(Policy.of(policy(policy), domains)));
    fields.finish();
    return new LocalMesh(workloads, services.stream().map(MeshService::of).toList(), policies);
  }

  /** Puts all of it in force: the policies first. */
  public void apply(MeshStore mesh, PolicyStore policyStore) {
    policyStore.apply(policies, List.of());
    mesh.apply(workloads, services, List.of());
  }

  private static Workload.Builder workload(Fields from) {
    Workload.Builder to =
        Workload.newBuilder()
            .setUid(from.required("uid"))
            .setName(from.text("name"))
            .setNamespace(from.required("namespace"))
            .setTrustDomain(from.text("trustDomain"))
            .setServiceAccount(from.text("serviceAccount"))
            .setNetwork(from.text("network"))
            .setWorkloadName(from.text("workloadName"))
            .setWorkloadType(choice(from, "workloadType", WorkloadType.DEPLOYMENT, WORKLOAD_TYPES))
            .setCanonicalName(from.text("canonicalName"))
            .setCanonicalRevision(from.text("canonicalRevision"))
            .setHostname(from.text("hostname"))
            .setNode(from.text("node"))
            .setNativeTunnel(from.flag("nativeTunnel"))
            .setClusterId(from.text("clusterId"))
            .setTunnelProtocol(choice(from, "protocol", TunnelProtocol.NONE, PROTOCOLS))
            .setNetworkMode(choice(from, "networkMode", NetworkMode.STANDARD, NETWORK_MODES))
            .setStatus(choice(from, "status", WorkloadStatus.HEALTHY, STATUSES))
            .addAllAuthorizationPolicies(from.texts("authorizationPolicies"))
            .setCapacity(UInt32Value.of(from.number("capacity", 1)));
    for (String address : from.texts("workloadIps")) {
      to.addAddresses(bytes(from.at("workloadIps"), address));
    }
    from.object("waypoint", gateway -> to.setWaypoint(gateway(gateway)));
    from.object("networkGateway", gateway -> to.setNetworkGateway(gateway(gateway)));
    from.object(
        "applicationTunnel",
        tunnel ->
            to.setApplicationTunnel(
                ApplicationTunnel.newBuilder()
                    .setProtocol(
                        choice(
                            tunnel,
                            "protocol",
                            ApplicationTunnel.Protocol.NONE,
                            Map.of(
                                "none", ApplicationTunnel.Protocol.NONE,
                                "proxy", ApplicationTunnel.Protocol.PROXY)))
                    .setPort(tunnel.number("port", 0))));
    from.object(
        "locality",
        locality ->
            to.setLocality(
                Locality.newBuilder()
                    .setRegion(locality.text("region"))
                    .setZone(locality.text("zone"))
                    .setSubzone(locality.text("subzone"))));
    from.entries("services")
        .forEach(
            (service, ports) ->
                to.putServices(service, ports(from.at("services") + "." + service, ports)));
    return to;
  }

  private static Service service(
      Fields from, Map<String, Map<String, PortList>> endpointsByWorkload) {
    Service.Builder to =
        Service.newBuilder()
            .setName(from.text("name"))
            .setNamespace(from.required("namespace"))
            .setHostname(from.required("hostname"))
            .addAllPorts(ports(from.at("ports"), from.entries("ports")).getPortsList())
            .addAllSubjectAltNames(from.texts("subjectAltNames"))
            .setCanonical(from.flag("canonical"))
            .setIpFamilies(choice(from, "ipFamilies", IPFamilies.AUTOMATIC, IP_FAMILIES))
            .setVisibility(choice(from, "visibility", Service.Visibility.PUBLIC, VISIBILITIES));
    for (String address : from.texts("vips")) {
      to.addAddresses(networkAddress(from.at("vips"), address));
    }
    from.objects(
        "cidrVips",
        block ->
            to.addAddresses(
                block(block.at("cidr"), block.required("cidr")).setNetwork(block.text("network"))));
    from.object("waypoint", gateway -> to.setWaypoint(gateway(gateway)));
    from.objects(
        "weightedWaypoints",
        weighted -> {
          WeightedWaypoint.Builder waypoint =
              WeightedWaypoint.newBuilder().setWeight(weighted.number("weight", 0));
          weighted.object("destination", gateway -> waypoint.setDestination(gateway(gateway)));
          to.addWeightedWaypoints(waypoint);
        });
    from.object("loadBalancer", balancer -> to.setLoadBalancing(balancing(balancer)));
    String key = to.getNamespace() + "/" + to.getHostname();
    from.entries("endpoints")
        .forEach(
            (uid, value) -> {
              Fields endpoint = Fields.of(from.at("endpoints") + "." + uid, value);
              String workload = endpoint.text("workloadUid");
              PortList ports = ports(endpoint.at("port"), endpoint.entries("port"));
              // The workload's own status counts.
              var unread = endpoint.value("status");
              endpoint.finish();
              endpointsByWorkload
                  .computeIfAbsent(workload.isEmpty() ? uid : workload, name -> new HashMap<>())
                  .put(key, ports);
            });
    return to.build();
  }

  private static LoadBalancing balancing(Fields from) {
    LoadBalancing.Builder to =
        LoadBalancing.newBuilder()
            .setMode(choice(from, "mode", LoadBalancing.Mode.UNSPECIFIED_MODE, MODES))
            .setHealthPolicy(
                choice(
                    from,
                    "healthPolicy",
                    LoadBalancing.HealthPolicy.ONLY_HEALTHY,
                    Map.of(
                        "onlyhealthy", LoadBalancing.HealthPolicy.ONLY_HEALTHY,
                        "allowall", LoadBalancing.HealthPolicy.ALLOW_ALL)));
    for (String scope : from.texts("routingPreferences")) {
      to.addRoutingPreference(choice(from.at("routingPreferences"), scope, SCOPES));
    }
    return to.build();
  }

  private static GatewayAddress gateway(Fields from) {
    GatewayAddress.Builder to =
        GatewayAddress.newBuilder().setHboneMtlsPort(from.number("hboneMtlsPort", 0));
    String destination = from.required("destination");
    int slash = destination.indexOf('/');
    String rest = destination.substring(slash + 1);
    if (slash >= 0 && isAddress(rest)) {
      return to.setAddress(networkAddress(from.at("destination"), destination)).build();
    }
    if (slash <= 0 || rest.isEmpty()) {
      throw new InvalidResourceException(
          from.at("destination")
              + " is '"
              + destination
              + "', neither NETWORK/ADDRESS nor NAMESPACE/HOSTNAME");
    }
    return to.setHostname(
            NamespacedHostname.newBuilder()
                .setNamespace(destination.substring(0, slash))
                .setHostname(rest))
        .build();
  }

  private static PortList ports(String place, @Nullable Object value) {
    if (!(value instanceof Map<?, ?> map)) {
      throw new InvalidResourceException(place + " is '" + value + "', not ports by port");
    }
    PortList.Builder to = PortList.newBuilder();
    map.forEach(
        (service, target) ->
            to.addPorts(
                Port.newBuilder()
                    .setServicePort(Fields.number(place, service))
                    .setTargetPort(Fields.number(place + "." + service, target))));
    return to.build();
  }

  private static Authorization policy(Fields from) {
    Authorization.Builder to =
        Authorization.newBuilder()
            .setName(from.required("name"))
            .setNamespace(from.text("namespace"))
            .setScope(
                choice(
                    from.at("scope"),
                    from.required("scope"),
                    Map.of(
                        "global", Scope.GLOBAL,
                        "namespace", Scope.NAMESPACE,
                        "workloadselector", Scope.WORKLOAD_SELECTOR)))
            .setAction(
                choice(
                    from.at("action"),
                    from.required("action"),
                    Map.of("allow", Action.ALLOW, "deny", Action.DENY)))
            .setDryRun(from.flag("dryRun"));
    String place = from.at("rules");
    for (Object rule : from.list("rules")) {
      Rule.Builder clauses = Rule.newBuilder();
      for (Object clause : Fields.list(place, rule)) {
        Clause.Builder matches = Clause.newBuilder();
        for (Object match : Fields.list(place, clause)) {
          matches.addMatches(match(Fields.of(place, match)));
        }
        clauses.addClauses(matches);
      }
      to.addRules(clauses);
    }
    return to.build();
  }

  private static Match match(Fields from) {
    Match.Builder to = Match.newBuilder();
    strings(from, "namespaces", to::addNamespaces);
    strings(from, "notNamespaces", to::addNotNamespaces);
    strings(from, "principals", to::addPrincipals);
    strings(from, "notPrincipals", to::addNotPrincipals);
    from.objects("serviceAccounts", account -> to.addServiceAccounts(account(account)));
    from.objects("notServiceAccounts", account -> to.addNotServiceAccounts(account(account)));
    blocks(from, "sourceIps", to::addSourceIps);
    blocks(from, "notSourceIps", to::addNotSourceIps);
    blocks(from, "destinationIps", to::addDestinationIps);
    blocks(from, "notDestinationIps", to::addNotDestinationIps);
    for (Object port : from.list("destinationPorts")) {
      to.addDestinationPorts(Fields.number(from.at("destinationPorts"), port));
    }
    for (Object port : from.list("notDestinationPorts")) {
      to.addNotDestinationPorts(Fields.number(from.at("notDestinationPorts"), port));
    }
    from.finish();
    return to.build();
  }

  private static ServiceAccountMatch account(Fields from) {
    return ServiceAccountMatch.newBuilder()
        .setNamespace(from.text("namespace"))
        .setServiceAccount(from.required("serviceAccount"))
        .build();
  }

  /** {@code Exact: text}, {@code Prefix: text}, {@code Suffix: text} or {@code Presence: []}. */
  private static void strings(Fields from, String field, Consumer<StringMatch> then) {
    from.objects(
        field,
        one -> {
          StringMatch.Builder match = StringMatch.newBuilder();
          if (one.has("Exact")) {
            match.setExact(one.text("Exact"));
          } else if (one.has("Prefix")) {
            match.setPrefix(one.text("Prefix"));
          } else if (one.has("Suffix")) {
            match.setSuffix(one.text("Suffix"));
          } else if (one.has("Presence")) {
            match.setPresence(Empty.getDefaultInstance());
          } else {
            throw new InvalidResourceException(
                one.at("Exact") + ", Prefix, Suffix or Presence is missing");
          }
          then.accept(match.build());
        });
  }

  private static void blocks(
      Fields from, String field, Consumer<dev.ambit.protocol.security.Address> then) {
    for (String text : from.texts(field)) {
      NetworkAddress.Builder block = block(from.at(field), text);
      then.accept(
          dev.ambit.protocol.security.Address.newBuilder()
              .setAddress(block.getAddress())
              .setLength(block.getLength())
              .build());
    }
  }

  // -- texts

  private static NetworkAddress networkAddress(String place, String text) {
    int slash = text.indexOf('/');
    if (slash < 0) {
      throw new InvalidResourceException(place + " has '" + text + "', not NETWORK/ADDRESS");
    }
    return NetworkAddress.newBuilder()
        .setNetwork(text.substring(0, slash))
        .setAddress(bytes(place, text.substring(slash + 1)))
        .build();
  }

  private static NetworkAddress.Builder block(String place, String text) {
    int slash = text.indexOf('/');
    ByteString address = bytes(place, slash < 0 ? text : text.substring(0, slash));
    int length = slash < 0 ? address.size() * 8 : Fields.number(place, text.substring(slash + 1));
    return NetworkAddress.newBuilder().setAddress(address).setLength(length);
  }

  private static boolean isAddress(String text) {
    try {
      InetAddress.ofLiteral(text);
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static ByteString bytes(String place, String text) {
    if (!isAddress(text)) {
      throw new InvalidResourceException(place + " has '" + text + "', not an address");
    }
    return ByteString.copyFrom(InetAddress.ofLiteral(text).getAddress());
  }

  // -- words

  private static final Map<String, TunnelProtocol> PROTOCOLS =
      Map.of("tcp", TunnelProtocol.NONE, "hbone", TunnelProtocol.HBONE);
  private static final Map<String, NetworkMode> NETWORK_MODES =
      Map.of("standard", NetworkMode.STANDARD, "hostnetwork", NetworkMode.HOST_NETWORK);
  private static final Map<String, WorkloadStatus> STATUSES =
      Map.of("healthy", WorkloadStatus.HEALTHY, "unhealthy", WorkloadStatus.UNHEALTHY);
  private static final Map<String, WorkloadType> WORKLOAD_TYPES =
      Map.of(
          "deployment", WorkloadType.DEPLOYMENT,
          "cronjob", WorkloadType.CRONJOB,
          "pod", WorkloadType.POD,
          "job", WorkloadType.JOB);
  private static final Map<String, IPFamilies> IP_FAMILIES =
      Map.of("ipv4", IPFamilies.IPV4_ONLY, "ipv6", IPFamilies.IPV6_ONLY, "dual", IPFamilies.DUAL);
  private static final Map<String, Service.Visibility> VISIBILITIES =
      Map.of("public", Service.Visibility.PUBLIC, "namespace", Service.Visibility.NAMESPACE);
  private static final Map<String, LoadBalancing.Mode> MODES =
      Map.of(
          "standard", LoadBalancing.Mode.UNSPECIFIED_MODE,
          "strict", LoadBalancing.Mode.STRICT,
          "failover", LoadBalancing.Mode.FAILOVER,
          "passthrough", LoadBalancing.Mode.PASSTHROUGH);
  private static final Map<String, LoadBalancing.Scope> SCOPES =
      Map.of(
          "region", LoadBalancing.Scope.REGION,
          "zone", LoadBalancing.Scope.ZONE,
          "subzone", LoadBalancing.Scope.SUBZONE,
          "node", LoadBalancing.Scope.NODE,
          "cluster", LoadBalancing.Scope.CLUSTER,
          "network", LoadBalancing.Scope.NETWORK);

  private static <T> T choice(Fields from, String field, T whenUnset, Map<String, T> choices) {
    String word = from.text(field);
    return word.isEmpty() ? whenUnset : choice(from.at(field), word, choices);
  }

  private static <T> T choice(String place, String word, Map<String, T> choices) {
    T chosen = choices.get(word.toLowerCase(Locale.ROOT));
    if (chosen == null) {
      throw new InvalidResourceException(
          place + " is '" + word + "', not one of " + choices.keySet().stream().sorted().toList());
    }
    return chosen;
  }
}
