package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/**
 * However objects come, change and go, the index ends where one that is given only the last state
 * ends.
 */
class MeshIndexPropertiesTest {
  private static final List<String> NAMESPACES = List.of("a", "b", "root");
  private static final List<String> LABELS = List.of("x", "y", "z");

  /** The last state of all objects, and how to tell an index of each. */
  private static final class World {
    final Map<String, Object> objects = new TreeMap<>();

    void tell(MeshIndex index, Object object, boolean present) {
      switch (object) {
        case Pod pod -> tell(index, pod, present, MeshIndex::put, MeshIndex::remove);
        case Service service -> tell(index, service, present, MeshIndex::put, MeshIndex::remove);
        case EndpointSlice slice -> tell(index, slice, present, MeshIndex::put, MeshIndex::remove);
        case Node node -> tell(index, node, present, MeshIndex::put, MeshIndex::remove);
        case Namespace namespace ->
            tell(index, namespace, present, MeshIndex::put, MeshIndex::remove);
        case AuthorizationPolicy policy ->
            tell(index, policy, present, MeshIndex::put, MeshIndex::remove);
        case PeerAuthentication policy ->
            tell(index, policy, present, MeshIndex::put, MeshIndex::remove);
        case ServiceEntry entry -> tell(index, entry, present, MeshIndex::put, MeshIndex::remove);
        case WorkloadEntry entry -> tell(index, entry, present, MeshIndex::put, MeshIndex::remove);
        case Gateway gateway -> tell(index, gateway, present, MeshIndex::put, MeshIndex::remove);
        case GatewayClass gatewayClass ->
            tell(index, gatewayClass, present, MeshIndex::put, MeshIndex::remove);
        case Enrollment enrollment ->
            index.enrollmentMode(
                enrollment.namespace(), present ? enrollment.mode() : MtlsMode.UNSET);
        case MeshSettings settings -> index.settings(settings);
        default -> throw new AssertionError("not an object of the mesh: " + object);
      }
    }

    private static <T> void tell(
        MeshIndex index,
        T object,
        boolean present,
        BiConsumer<MeshIndex, T> put,
        BiConsumer<MeshIndex, T> remove) {
      (present ? put : remove).accept(index, object);
    }
  }

  private record Enrollment(String namespace, MtlsMode mode) {}

  private static final class Applied implements MeshOutput {
    final Map<String, Address> addresses = new HashMap<>();
    final Map<String, Authorization> authorizations = new HashMap<>();
    final Map<BoundObject, List<ObjectCondition>> conditions = new HashMap<>();

    @Override
    public void address(String name, Optional<Address> address) {
      if (address.isPresent()) {
        assertThat(addresses.put(name, address.get())).isNotEqualTo(address.get());
      } else {
        assertThat(addresses.remove(name)).as("removal of %s", name).isNotNull();
      }
    }

    @Override
    public void waypoints(String name, Set<String> gateways, Optional<String> past) {}

    @Override
    public void authorization(String name, Optional<Authorization> authorization) {
      if (authorization.isPresent()) {
        assertThat(authorizations.put(name, authorization.get())).isNotEqualTo(authorization.get());
      } else {
        assertThat(authorizations.remove(name)).as("removal of %s", name).isNotNull();
      }
    }

    @Override
    public void conditions(BoundObject object, List<ObjectCondition> wanted) {
      if (wanted.isEmpty()) {
        assertThat(conditions.remove(object)).as("removal of %s", object).isNotNull();
      } else {
        assertThat(conditions.put(object, wanted)).isNotEqualTo(wanted);
      }
    }
  }

  @Property(tries = 100)
  void incrementalEqualsFromScratch(@ForAll long seed) {
    Random random = new Random(seed);
    MeshSettings settings = MeshSettings.of("td", "root");
    Applied applied = new Applied();
    MeshIndex index = new MeshIndex(settings, applied);
    World world = new World();
    for (int step = 0; step < 150; step++) {
      change(random, world, index);
    }

    Applied fresh = new Applied();
    MeshSettings last =
        world.objects.get("settings") instanceof MeshSettings present ? present : settings;
    MeshIndex again = new MeshIndex(last, fresh);
    List<Object> shuffled = new ArrayList<>(world.objects.values());
    Collections.shuffle(shuffled, random);
    shuffled.forEach(object -> world.tell(again, object, true));

    assertThat(index.addresses()).isEqualTo(again.addresses());
    assertThat(index.authorizations()).isEqualTo(again.authorizations());
    assertThat(index.conditions()).isEqualTo(again.conditions());
    assertThat(applied.conditions).isEqualTo(index.conditions());
    assertThat(applied.addresses).isEqualTo(index.addresses());
    assertThat(applied.authorizations).isEqualTo(index.authorizations());
    // What a workload refers to is there: a reference to nothing would refuse all its traffic.
    index
        .addresses()
        .values()
        .forEach(
            address ->
                assertThat(index.authorizations().keySet())
                    .containsAll(address.getWorkload().getAuthorizationPoliciesList()));
  }

  private static void change(Random random, World world, MeshIndex index) {
    if (!world.objects.isEmpty() && random.nextInt(4) == 0) {
      List<String> keys = List.copyOf(world.objects.keySet());
      String key = keys.get(random.nextInt(keys.size()));
      if (!key.equals("settings")) {
        Object gone = world.objects.remove(key);
        if (gone != null) {
          world.tell(index, gone, false);
        }
      }
      return;
    }
    String namespace = NAMESPACES.get(random.nextInt(NAMESPACES.size()));
    String name = "n" + random.nextInt(4);
    String label = LABELS.get(random.nextInt(LABELS.size()));
    int kind = random.nextInt(16);
    Object object =
        switch (kind) {
          case 0, 1, 2 -> pod(random, namespace, name, label);
          case 3 -> service(random, namespace, name, label);
          case 4 -> slice(random, namespace, name);
          case 5 -> Objects.node("node-" + random.nextInt(2), "r", "z" + random.nextInt(2));
          case 6 -> namespace(random, namespace);
          case 7 -> policy(random, namespace, name, label);
          case 8 -> peerAuthentication(random, namespace, name, label);
          case 9, 10 -> serviceEntry(random, namespace, name, label);
          case 11, 12 -> workloadEntry(random, namespace, name, label);
          case 13 -> gateway(random, namespace);
          case 14 -> gatewayClass(random);
          default ->
              random.nextInt(3) == 0
                  ? new MeshSettings(
                      random.nextInt(4) == 0 ? "other" : "td",
                      random.nextInt(4) == 0 ? List.of("old") : List.of(),
                      "root",
                      "cluster.local",
                      "Kubernetes",
                      random.nextBoolean(),
                      random.nextInt(4) == 0)
                  : new Enrollment(
                      namespace, MtlsMode.values()[random.nextInt(MtlsMode.values().length)]);
        };
    String key =
        switch (object) {
          case MeshSettings _ -> "settings";
          case Enrollment enrollment -> "enrollment/" + enrollment.namespace();
          case io.fabric8.kubernetes.api.model.HasMetadata resource ->
              resource.getClass().getSimpleName()
                  + "/"
                  + resource.getMetadata().getNamespace()
                  + "/"
                  + resource.getMetadata().getName();
          default -> throw new AssertionError(object);
        };
    world.objects.put(key, object);
    world.tell(index, object, true);
  }

  private static Namespace namespace(Random random, String name) {
    Namespace namespace =
        Objects.namespace(
            name,
            random.nextBoolean()
                ? Map.of()
                : Map.of(ServiceAddress.TRAFFIC_DISTRIBUTION, "PreferClose"));
    namespace.getMetadata().setLabels(waypointLabels(random, Map.of("team", name)));
    return namespace;
  }

  private static Map<String, String> waypointLabels(Random random, Map<String, String> others) {
    Map<String, String> labels = new HashMap<>(others);
    switch (random.nextInt(6)) {
      case 0 -> labels.put(Waypoints.USE, "w" + random.nextInt(2));
      case 1 -> {
        labels.put(Waypoints.USE, "w" + random.nextInt(2));
        labels.put(Waypoints.USE_NAMESPACE, NAMESPACES.get(random.nextInt(2)));
        labels.put(Waypoints.CANARY, "w" + random.nextInt(2));
      }
      case 2 -> labels.put(Waypoints.USE, "none");
      case 3 -> labels.put(Waypoints.INSTANCE_OF, "w" + random.nextInt(2));
      default -> {}
    }
    switch (random.nextInt(8)) {
      case 0 -> labels.put(RequiredWaypoint.LABEL, "true");
      case 1 -> labels.put(RequiredWaypoint.LABEL, "false");
      default -> {}
    }
    return labels;
  }

  private static Gateway gateway(Random random, String namespace) {
    return Objects.gateway(
        """
        metadata: {name: w%d, namespace: %s%s}
        spec:
          gatewayClassName: c%d
          listeners:
          - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: %s}}
        status: {addresses: [%s]}
        """
            .formatted(
                random.nextInt(2),
                namespace,
                random.nextBoolean() ? "" : ", labels: {istio.io/waypoint-for: all}",
                random.nextInt(2),
                List.of(
                        "{from: Same}",
                        "{from: All}",
                        "{from: Selector, selector: {matchLabels: {team: a}}}")
                    .get(random.nextInt(3)),
                random.nextInt(3) == 0
                    ? ""
                    : "{type: IPAddress, value: 10.96.1." + random.nextInt(3) + "}"));
  }

  private static GatewayClass gatewayClass(Random random) {
    return Objects.gatewayClass(
        """
        metadata:
          name: c%d
          labels: {istio.io/waypoint-for: %s}
          annotations: {ambient.istio.io/waypoint-inbound-binding: %s}
        """
            .formatted(
                random.nextInt(2),
                List.of("service", "workload", "all", "none").get(random.nextInt(4)),
                random.nextBoolean() ? "NONE" : "PROXY/15088"));
  }

  private static ServiceEntry serviceEntry(
      Random random, String namespace, String name, String label) {
    ServiceEntry entry =
        Objects.serviceEntry(
            """
            metadata:
              name: %s
              namespace: %s
              creationTimestamp: '2026-01-0%dT00:00:00Z'
            spec:
              hosts: [%s]
              resolution: %s
              ports: [{name: http, number: 80, protocol: HTTP}]
              exportTo: [%s]
              %s
            """
                .formatted(
                    name,
                    namespace,
                    random.nextInt(3) + 1,
                    List.of(
                            "x.example.com",
                            "x.example.com, y.example.com",
                            "n1." + namespace + ".svc.cluster.local")
                        .get(random.nextInt(3)),
                    List.of("DNS", "STATIC", "NONE").get(random.nextInt(3)),
                    List.of("", "'.'", "'*'", "'~'", "a").get(random.nextInt(5)),
                    List.of(
                            "",
                            "workloadSelector: {labels: {app: " + label + "}}",
                            "endpoints: [{address: 10.9.0.1}, {address: far.example.com, labels:"
                                + " {istio.io/use-waypoint: w1}}]")
                        .get(random.nextInt(3))));
    entry
        .getMetadata()
        .setLabels(
            waypointLabels(
                random,
                random.nextInt(5) == 0 ? Map.of("istio.io/rev", "1-99") : Map.of("app", label)));
    return entry;
  }

  private static WorkloadEntry workloadEntry(
      Random random, String namespace, String name, String label) {
    WorkloadEntry entry =
        Objects.workloadEntry(
            """
            metadata: {name: %s, namespace: %s}
            spec:
              address: %s
              labels: {app: %s}
              ports: {http: %d}
            """
                .formatted(
                    name,
                    namespace,
                    List.of("10.8.0.1", "vm.example.com", "unix:///x").get(random.nextInt(3)),
                    label,
                    8000 + random.nextInt(2)));
    entry.getMetadata().setLabels(waypointLabels(random, Map.of()));
    return entry;
  }

  private static Pod pod(Random random, String namespace, String name, String label) {
    return new PodBuilder(
            Objects.pod(
                namespace,
                name,
                "10.0.0." + random.nextInt(4),
                waypointLabels(random, Map.of("app", label))))
        .editSpec()
        .withNodeName("node-" + random.nextInt(2))
        .endSpec()
        .editStatus()
        .withPhase(random.nextInt(5) == 0 ? "Succeeded" : "Running")
        .endStatus()
        .build();
  }

  private static Service service(Random random, String namespace, String name, String label) {
    Service service =
        Objects.service(
            namespace,
            name,
            "10.96.0." + random.nextInt(3),
            random.nextInt(3) == 0 ? Map.of() : Map.of("app", label));
    service.getMetadata().setLabels(waypointLabels(random, Map.of()));
    if (random.nextInt(6) == 0) {
      service.getSpec().setType("ExternalName");
    }
    return service;
  }

  private static EndpointSlice slice(Random random, String namespace, String name) {
    String target =
        random.nextBoolean() ? "" : ", targetRef: {kind: Pod, name: n" + random.nextInt(4) + "}";
    return Objects.slice(
        """
        metadata: {name: %s, namespace: %s, labels: {kubernetes.io/service-name: n%d}}
        addressType: IPv4
        ports: [{name: http, port: %d}]
        endpoints: [{addresses: ["10.1.0.%d"], nodeName: node-%d%s}]
        """
            .formatted(
                name,
                namespace,
                random.nextInt(4),
                8000 + random.nextInt(2),
                random.nextInt(3),
                random.nextInt(2),
                target));
  }

  private static AuthorizationPolicy policy(
      Random random, String namespace, String name, String label) {
    String selector =
        switch (random.nextInt(6)) {
          case 0, 1 -> "";
          case 2, 3 ->
              "targetRefs: [%s], "
                  .formatted(
                      List.of(
                              "{group: '', kind: Service, name: n" + random.nextInt(4) + "}",
                              "{group: networking.istio.io, kind: ServiceEntry, name: n"
                                  + random.nextInt(4)
                                  + "}",
                              "{group: gateway.networking.k8s.io, kind: Gateway, name: w"
                                  + random.nextInt(2)
                                  + "}",
                              "{group: gateway.networking.k8s.io, kind: GatewayClass, name: c"
                                  + random.nextInt(2)
                                  + "}")
                          .get(random.nextInt(4)));
          default -> "selector: {matchLabels: {app: " + label + "}}, ";
        };
    List<String> actions = List.of("ALLOW", "DENY", "AUDIT");
    return Objects.policy(
        "metadata: {name: %s, namespace: %s}\nspec: {%saction: %s, rules: [{to: [{operation: {ports: ['%d']}}]}]}"
            .formatted(
                name, namespace, selector, actions.get(random.nextInt(3)), random.nextInt(2) + 80));
  }

  private static PeerAuthentication peerAuthentication(
      Random random, String namespace, String name, String label) {
    List<String> modes = List.of("UNSET", "STRICT", "PERMISSIVE", "DISABLE");
    String selector =
        random.nextInt(3) == 0
            ? ""
            : "selector: {matchLabels: {app: "
                + label
                + "}}, portLevelMtls: {\"80\": {mode: "
                + modes.get(random.nextInt(4))
                + "}}, ";
    return Objects.peerAuthentication(
        "metadata: {name: %s, namespace: %s, creationTimestamp: '2026-01-0%dT00:00:00Z'}\nspec: {%smtls: {mode: %s}}"
            .formatted(
                name, namespace, random.nextInt(3) + 1, selector, modes.get(random.nextInt(4))));
  }
}
