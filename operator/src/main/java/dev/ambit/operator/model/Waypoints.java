package dev.ambit.operator.model;

import dev.ambit.api.WellKnown;
import dev.ambit.api.WhenMissing;
import dev.ambit.protocol.workload.GatewayAddress;
import dev.ambit.protocol.workload.WeightedWaypoint;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Which waypoint an object is bound to. The rules of precedence are Istio's; but a waypoint that is
 * asked for and cannot be used is named nevertheless, by a name that leads nowhere, so that what it
 * was to check does not pass unchecked. Not thread-safe.
 */
final class Waypoints {
  static final String USE = "istio.io/use-waypoint";
  static final String USE_NAMESPACE = "istio.io/use-waypoint-namespace";
  static final String CANARY = "istio.io/use-waypoint-canary";
  static final String CANARY_NAMESPACE = "istio.io/use-waypoint-canary-namespace";
  static final String CANARY_WEIGHT = "istio.io/use-waypoint-canary-weight";
  static final String INGRESS_USE = "istio.io/ingress-use-waypoint";

  /** On pods, the Gateway that they are instances of. */
  static final String INSTANCE_OF = "gateway.networking.k8s.io/gateway-name";

  private static final String MANAGED = "gateway.istio.io/managed";

  /** Waypoints and gateways between networks, which have no waypoint before them. */
  private static final Set<String> GATEWAYS_OF_THE_MESH =
      Set.of("istio.io-mesh-controller", "istio.io-eastwest-controller");

  private static final String ACCEPTED = "WaypointAccepted";
  private static final String NOT_READY = "WaypointIsNotReady";
  private static final String DENIED = "AttachmentDenied";
  private static final String UNSUPPORTED = "UnsupportedTrafficType";

  private static final String OPT_OUT = "none";
  private static final String SERVICE = "service";
  private static final String WORKLOAD = "workload";

  private final Map<String, Gateway> gateways = new HashMap<>();
  private final Map<String, GatewayClass> classes = new HashMap<>();
  private final Map<String, Waypoint> waypoints = new HashMap<>();
  private final Map<String, String> classNames = new HashMap<>();

  /** An object as bindings look at it. */
  record Subject(String namespace, Map<String, String> labels, Map<String, String> annotations) {
    static Subject of(HasMetadata object) {
      return new Subject(
          object.getMetadata().getNamespace(),
          orEmpty(object.getMetadata().getLabels()),
          orEmpty(object.getMetadata().getAnnotations()));
    }
  }

  /**
   * The namespace that a subject is in.
   *
   * @param whenMissing what its effective MeshEnrollment says
   */
  record Surroundings(
      Map<String, String> labels,
      Map<String, String> annotations,
      Optional<WhenMissing> whenMissing) {}

  // --- Changes; each answers with the "namespace/name" of the waypoints that differ afterwards.

  Set<String> put(Gateway gateway) {
    String key = key(gateway.getMetadata().getNamespace(), gateway.getMetadata().getName());
    gateways.put(key, gateway);
    return derive(key);
  }

  Set<String> remove(Gateway gateway) {
    String key = key(gateway.getMetadata().getNamespace(), gateway.getMetadata().getName());
    gateways.remove(key);
    return derive(key);
  }

  Set<String> put(GatewayClass gatewayClass) {
    classes.put(gatewayClass.getMetadata().getName(), gatewayClass);
    return deriveOfClass(gatewayClass.getMetadata().getName());
  }

  Set<String> remove(GatewayClass gatewayClass) {
    classes.remove(gatewayClass.getMetadata().getName());
    return deriveOfClass(gatewayClass.getMetadata().getName());
  }

  private Set<String> deriveOfClass(String name) {
    Set<String> changed = new HashSet<>();
    for (Map.Entry<String, Gateway> gateway : gateways.entrySet()) {
      if (name.equals(className(gateway.getValue()))) {
        changed.addAll(derive(gateway.getKey()));
      }
    }
    return changed;
  }

  private Set<String> derive(String key) {
    Gateway gateway = gateways.get(key);
    Waypoint after = gateway == null ? null : Waypoint.of(gateway, classes.get(className(gateway)));
    Waypoint before = after == null ? waypoints.remove(key) : waypoints.put(key, after);
    String classBefore =
        gateway == null ? classNames.remove(key) : classNames.put(key, className(gateway));
    return Objects.equals(before, after) && Objects.equals(classBefore, classNames.get(key))
        ? Set.of()
        : Set.of(key);
  }

  private static String className(Gateway gateway) {
    return gateway.getSpec() == null || gateway.getSpec().getGatewayClassName() == null
        ? ""
        : gateway.getSpec().getGatewayClassName();
  }

  private static String key(String namespace, String name) {
    return namespace + "/" + name;
  }

  /** Whether labels of an object of that namespace, or of the namespace, name one of these. */
  static boolean named(Map<String, String> labels, String namespace, Set<String> keys) {
    return reference(labels, namespace, USE, USE_NAMESPACE).filter(keys::contains).isPresent()
        || reference(labels, namespace, CANARY, CANARY_NAMESPACE).filter(keys::contains).isPresent()
        || (labels.containsKey(INSTANCE_OF)
            && keys.contains(key(namespace, labels.get(INSTANCE_OF))));
  }

  private static Optional<String> reference(
      Map<String, String> labels, String namespace, String label, String namespaceLabel) {
    String name = labels.get(label);
    return name == null || name.isEmpty() || name.equals(OPT_OUT)
        ? Optional.empty()
        : Optional.of(key(labels.getOrDefault(namespaceLabel, namespace), name));
  }

  // --- Questions

  /** The waypoints that a service names, "namespace/name": the one, and perhaps its canary. */
  Set<String> namedBy(Subject service, Surroundings surroundings) {
    String asked = service.labels().get(USE);
    boolean own = asked != null && !asked.isEmpty();
    Set<String> keys = new HashSet<>();
    reference(
            own ? service.labels() : surroundings.labels(), service.namespace(), USE, USE_NAMESPACE)
        .ifPresent(keys::add);
    boolean canaryOfNamespace = !own && !service.labels().containsKey(CANARY);
    reference(
            canaryOfNamespace ? surroundings.labels() : service.labels(),
            service.namespace(),
            CANARY,
            CANARY_NAMESPACE)
        .ifPresent(keys::add);
    return keys;
  }

  /** The class of a Gateway, "namespace/name"; empty where there is no such. */
  Optional<String> classOf(String key) {
    return Optional.ofNullable(classNames.get(key));
  }

  /** Where a workload with those labels stands. */
  Placement place(Subject workload, Surroundings surroundings) {
    String instanceOf = workload.labels().get(INSTANCE_OF);
    Waypoint own = instanceOf == null ? null : waypoints.get(key(workload.namespace(), instanceOf));
    if (own != null) {
      return new Placement(Optional.empty(), Set.of(), own.tunnel());
    }
    WaypointBinding binding = forWorkload(workload, surroundings);
    return new Placement(binding.address(), binding.through(), Optional.empty());
  }

  /** What traffic to a workload's own address goes through. */
  WaypointBinding forWorkload(Subject workload, Surroundings surroundings) {
    return primary(workload, surroundings, WORKLOAD);
  }

  /**
   * What traffic to a service goes through.
   *
   * @param hostnames of the service: a waypoint is not behind itself
   */
  WaypointBinding forService(Subject service, Set<String> hostnames, Surroundings surroundings) {
    if (GATEWAYS_OF_THE_MESH.contains(service.labels().getOrDefault(MANAGED, ""))) {
      return WaypointBinding.NONE;
    }
    WaypointBinding binding = primary(service, surroundings, SERVICE);
    boolean itself =
        binding
            .address()
            .filter(
                address ->
                    address.hasHostname()
                        && address.getHostname().getNamespace().equals(service.namespace())
                        && hostnames.contains(address.getHostname().getHostname()))
            .isPresent();
    if (itself) {
      return WaypointBinding.NONE;
    }
    if (binding.status().filter(ObjectCondition::holds).isEmpty()) {
      return binding;
    }
    return withCanary(binding, service, surroundings)
        .withIngress(
            Boolean.parseBoolean(
                service
                    .labels()
                    .getOrDefault(
                        INGRESS_USE, surroundings.labels().getOrDefault(INGRESS_USE, ""))));
  }

  private WaypointBinding primary(Subject subject, Surroundings surroundings, String traffic) {
    String asked = subject.labels().get(USE);
    if (OPT_OUT.equals(asked)) {
      return WaypointBinding.NONE;
    }
    boolean own = asked != null && !asked.isEmpty();
    Optional<String> key =
        reference(
            own ? subject.labels() : surroundings.labels(),
            subject.namespace(),
            USE,
            USE_NAMESPACE);
    return key.isEmpty()
        ? WaypointBinding.NONE
        : resolve(key.get(), own, subject, surroundings, traffic);
  }

  private WaypointBinding resolve(
      String key, boolean own, Subject subject, Surroundings surroundings, String traffic) {
    Waypoint waypoint = waypoints.get(key);
    // Of one that is missing it is known only what a waypoint is for where nothing else is said.
    boolean handles =
        waypoint == null
            ? own || traffic.equals(Waypoint.DEFAULT_TRAFFIC)
            : waypoint.handles(traffic);
    if (!handles && !own) {
      // The namespace's waypoint is for other traffic than this.
      return traffic.equals(WORKLOAD)
          ? WaypointBinding.NONE
          : WaypointBinding.unbound(
              unsupported(key, traffic, "so traffic to this object does not go through it"));
    }
    Fallback fallback = Fallback.of(subject, surroundings);
    if (waypoint == null) {
      return fallback.instead(
          key,
          NOT_READY,
          "waypoint " + key + " does not exist",
          "create a Gateway of that name, or set the label "
              + USE
              + " to another waypoint or to none");
    }
    if (!handles) {
      return fallback.instead(
          key,
          UNSUPPORTED,
          "waypoint " + key + " is not for " + traffic + " traffic",
          "see the label istio.io/waypoint-for of its Gateway");
    }
    if (!waypoint.admits(subject.namespace(), surroundings.labels())) {
      return fallback.instead(
          key,
          DENIED,
          "waypoint " + key + " does not admit objects of namespace " + subject.namespace(),
          "let allowedRoutes.namespaces of its listener of port 15008 admit it");
    }
    return waypoint
        .address()
        .map(
            address ->
                WaypointBinding.to(
                    address,
                    bound(true, ACCEPTED, "traffic to this object goes through waypoint " + key)))
        .orElseGet(
            () ->
                fallback.instead(
                    key,
                    NOT_READY,
                    "waypoint "
                        + key
                        + " is not ready (its Gateway has no address in status.addresses)",
                    "its Gateway's status says why"))
        .withThrough(key);
  }

  /** What becomes of traffic where its waypoint cannot be used. */
  private record Fallback(WhenMissing whenMissing, Optional<String> unknown) {
    static Fallback of(Subject subject, Surroundings surroundings) {
      Optional<String> written =
          Stream.of(
                  subject.labels(),
                  subject.annotations(),
                  surroundings.labels(),
                  surroundings.annotations())
              .flatMap(
                  map -> Optional.ofNullable(map.get(WellKnown.WAYPOINT_WHEN_MISSING)).stream())
              .findFirst();
      if (written.isEmpty()) {
        return new Fallback(
            surroundings.whenMissing().orElse(WhenMissing.REJECT), Optional.empty());
      }
      return WhenMissing.of(written.get())
          .map(known -> new Fallback(known, Optional.empty()))
          // What is not understood lets nothing pass.
          .orElseGet(() -> new Fallback(WhenMissing.REJECT, written));
    }

    WaypointBinding instead(String key, String reason, String why, String remedy) {
      String note =
          unknown
              .map(
                  value ->
                      " ("
                          + WellKnown.WAYPOINT_WHEN_MISSING
                          + "="
                          + value
                          + " has no meaning: it is Reject or Bypass)")
              .orElse("");
      return switch (whenMissing) {
        case REJECT ->
            WaypointBinding.to(
                nowhere(key),
                bound(
                    false,
                    reason,
                    why + ", so traffic to this object is refused" + note + "; " + remedy));
        case BYPASS ->
            WaypointBinding.unbound(
                bound(
                    false,
                    reason,
                    why
                        + ", so traffic to this object goes past it, as "
                        + WellKnown.WAYPOINT_WHEN_MISSING
                        + "=Bypass asks, and what it was to enforce is not enforced; "
                        + remedy));
      };
    }
  }

  private static ObjectCondition unsupported(String key, String traffic, String effect) {
    return bound(
        false,
        UNSUPPORTED,
        "waypoint "
            + key
            + " is not for "
            + traffic
            + " traffic, "
            + effect
            + "; see the label istio.io/waypoint-for of its Gateway");
  }

  private static ObjectCondition bound(boolean holds, String reason, String message) {
    return new ObjectCondition(ObjectCondition.WAYPOINT_BOUND, holds, reason, message);
  }

  /** Nothing answers to a name under this domain (RFC 2606), and errors that show it are plain. */
  private static GatewayAddress nowhere(String key) {
    int slash = key.indexOf('/');
    String namespace = key.substring(0, slash);
    return Waypoint.hostname(
        namespace, key.substring(slash + 1) + "." + namespace + ".waypoint.invalid");
  }

  private WaypointBinding withCanary(
      WaypointBinding primary, Subject service, Surroundings surroundings) {
    // Read where the primary was read, or at the object.
    String asked = service.labels().get(USE);
    boolean inherits = asked == null || asked.isEmpty();
    boolean atNamespace = inherits && !service.labels().containsKey(CANARY);
    Map<String, String> labels = atNamespace ? surroundings.labels() : service.labels();
    Optional<String> key = reference(labels, service.namespace(), CANARY, CANARY_NAMESPACE);
    if (key.isEmpty()) {
      return primary;
    }
    String weight = service.annotations().get(CANARY_WEIGHT);
    if (weight == null && inherits) {
      weight = surroundings.annotations().get(CANARY_WEIGHT);
    }
    int share = share(weight);
    if (share < 0) {
      return without(
          primary, key.get(), "annotation " + CANARY_WEIGHT + " is not a number from 0 to 100");
    }
    Waypoint canary = waypoints.get(key.get());
    WaypointBinding both =
        canary != null
                && canary.admits(service.namespace(), surroundings.labels())
                && canary.handles(SERVICE)
            ? primary.withThrough(key.get())
            : primary;
    Optional<GatewayAddress> address = canary == null ? Optional.empty() : canary.address();
    if (canary == null || address.isEmpty()) {
      return without(both, key.get(), "it is not ready");
    }
    if (address.equals(primary.address())) {
      return without(primary, key.get(), "it is the waypoint itself");
    }
    if (!canary.admits(service.namespace(), surroundings.labels())) {
      return without(
          primary, key.get(), "it does not admit objects of namespace " + service.namespace());
    }
    if (!canary.handles(SERVICE)) {
      return without(primary, key.get(), "it is not for service traffic");
    }
    return both.withWeighted(
        List.of(
            WeightedWaypoint.newBuilder()
                .setDestination(primary.address().orElseThrow())
                .setWeight(100 - share)
                .build(),
            WeightedWaypoint.newBuilder().setDestination(address.get()).setWeight(share).build()));
  }

  /** An error of the canary keeps all traffic at the primary, and shows. */
  private static WaypointBinding without(WaypointBinding primary, String key, String why) {
    ObjectCondition bound = primary.status().orElseThrow();
    return primary.withStatus(
        bound(
            true,
            bound.reason(),
            bound.message() + "; waypoint " + key + " gets no share of it: " + why));
  }

  private static int share(@Nullable String weight) {
    if (weight == null) {
      return 0;
    }
    return weight.matches("[0-9]{1,3}") && Integer.parseInt(weight) <= 100
        ? Integer.parseInt(weight)
        : -1;
  }

  private static Map<String, String> orEmpty(@Nullable Map<String, String> map) {
    return map == null ? Map.of() : map;
  }
}
