package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import dev.ambit.operator.waypoint.security.model.AttachedPolicies;
import dev.ambit.operator.xds.XdsType;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What a waypoint's Envoys do not take of what they are sent, and whose fault that is. A rejection
 * is over when something else is sent in the place of what was rejected.
 */
final class Rejections {
  /** The reason of conditions that do not hold because of one. */
  static final String REASON = "RejectedByWaypoint";

  private static final int LONGEST_ERROR = 500;
  private static final int MOST_LISTED = 10;
  private static final String NO_ROUTES = " does not take the routes of this parent";
  private static final String KEEPS = ", and keeps those that it had before";
  private static final Set<String> CONNECTION_ROUTES = Set.of("TCPRoute", "TLSRoute");

  private final String waypoint;
  private final Map<String, Rejected> all = new TreeMap<>();
  private Map<String, ListenerTrials.Held> held = Map.of();

  Rejections(String waypoint) {
    this.waypoint = waypoint;
  }

  /** A resource, and why. */
  record Rejected(XdsType type, String name, String error) {
    @Override
    public String toString() {
      String url = type.url();
      return url.substring(url.lastIndexOf('.') + 1) + " \"" + name + "\": " + shown(error);
    }

    /** What its name says of what it is for, as "http|SERVICE|80". */
    private String part(int index) {
      String[] parts = name.split("\\|", -1);
      return index < parts.length ? parts[index] : "";
    }
  }

  void add(XdsType type, String name, String error) {
    all.put(key(type, name), new Rejected(type, name, error));
  }

  private static String shown(String error) {
    return error.length() > LONGEST_ERROR ? error.substring(0, LONGEST_ERROR - 1) + "…" : error;
  }

  /** Something else was sent. */
  void forget(XdsType type, String name) {
    all.remove(key(type, name));
  }

  private static String key(XdsType type, String name) {
    return type.url() + "/" + name;
  }

  /** What parts of shared listeners are not taken, by whose they are. */
  void held(Map<String, ListenerTrials.Held> next) {
    held = new TreeMap<>(next);
  }

  boolean isEmpty() {
    return all.isEmpty() && held.isEmpty();
  }

  /** For a person. */
  List<String> texts() {
    return Stream.concat(
            all.values().stream().map(Rejected::toString),
            held.entrySet().stream().map(each -> text(each.getKey(), each.getValue())))
        .toList();
  }

  private static String text(String key, ListenerTrials.Held part) {
    String whose = key.equals(PodsPlan.SLOTS) ? "pods" : key;
    return (part.together().isEmpty()
            ? "what listeners have for " + whose
            : "one of the changes of what listeners have for " + listed(part.together()))
        + (part.leftOut() ? ", which is left out" : "")
        + ": "
        + shown(part.error());
  }

  private static String listed(Collection<String> all) {
    return all.stream().sorted().limit(MOST_LISTED).collect(Collectors.joining(", "))
        + (all.size() > MOST_LISTED ? ", …" : "");
  }

  /** A port of a service that has routes. */
  record Leading(MeshService service, int port) {}

  /** What resources are made from. */
  interface Sources {
    Optional<MeshService> service(String key);

    /** What holds for a service; for pods, where there is none. */
    AttachedPolicies policies(Optional<MeshService> service);

    /** VirtualServices and DestinationRules by which a service's routes came about. */
    Collection<ObjectReference> traffic(MeshService service);

    /**
     * DestinationRules by which a cluster of that name came about, or RequestAuthentications whose
     * keys it leads to.
     */
    Collection<ObjectReference> cluster(String name);

    /** Where routes lead to a cluster of that name. */
    Collection<Leading> leadingTo(String cluster);

    /** AuthorizationPolicies by which a resource came about that judges all tunnels. */
    Collection<ObjectReference> tunnels(String resource);

    /** Telemetry objects that say what is counted and logged of a service; of pods, where none. */
    Collection<ObjectReference> telemetry(Optional<MeshService> service);
  }

  /** What is to be said on policies and traffic rules in place of what else is said. */
  Map<ObjectReference, String> blamed(Sources sources) {
    Map<ObjectReference, String> blamed =
        new TreeMap<>(java.util.Comparator.comparing(ObjectReference::toString));
    for (Rejected rejected : all.values()) {
      Set<ObjectReference> objects = objects(rejected, sources);
      objects.forEach(object -> blamed.put(object, message(rejected, object, objects)));
    }
    held.forEach(
        (key, part) -> {
          Set<ObjectReference> objects = objects(key, sources);
          objects.forEach(
              object ->
                  blamed.put(
                      object,
                      doesNotTake(object, objects)
                          + (part.leftOut()
                              ? ", and had nothing before"
                              : ", and keeps what it had before")
                          + ": "
                          + text(key, part)));
        });
    return blamed;
  }

  /**
   * What is to be said on Services and ServiceEntries whose part of the listeners is not taken:
   * whether they are reached through the waypoint nevertheless, as they were before.
   */
  Map<ObjectReference, ObjectCondition> services(Sources sources) {
    Map<ObjectReference, ObjectCondition> said = new HashMap<>();
    held.forEach(
        (key, part) ->
            sources
                .service(key)
                .ifPresent(
                    service ->
                        said.put(
                            service.reference(),
                            new ObjectCondition(
                                ObjectCondition.WAYPOINT_BOUND,
                                !part.leftOut(),
                                REASON,
                                "waypoint "
                                    + waypoint
                                    + (part.leftOut()
                                        ? " does not take what this comes to, and refuses traffic"
                                            + " to it: "
                                        : " does not take what this comes to, and treats traffic"
                                            + " to it as before: ")
                                    + text(key, part)))));
    return said;
  }

  /** What a part of the shared listeners was made from, besides the service itself. */
  private static Set<ObjectReference> objects(String key, Sources sources) {
    Optional<MeshService> service = sources.service(key);
    Set<ObjectReference> objects = new LinkedHashSet<>(sources.telemetry(service));
    service.map(sources::traffic).ifPresent(objects::addAll);
    return objects;
  }

  private Set<ObjectReference> objects(Rejected rejected, Sources sources) {
    Set<ObjectReference> objects = new LinkedHashSet<>();
    if (rejected.type().equals(EnvoyTypes.ROUTES)) {
      sources.service(rejected.part(1)).map(sources::traffic).ifPresent(objects::addAll);
    } else if (isOfCluster(rejected)) {
      objects.addAll(sources.cluster(rejected.name()));
    } else if (rejected.type().equals(EnvoyTypes.EXTENSION) && rejected.part(1).isEmpty()) {
      objects.addAll(sources.tunnels(rejected.name()));
    } else if (rejected.type().equals(EnvoyTypes.EXTENSION)) {
      Optional<MeshService> service = sources.service(rejected.part(1));
      if (service.isPresent() || rejected.part(1).equals(PodsPlan.SLOTS)) {
        AttachedPolicies policies = sources.policies(service);
        if (rejected.part(0).equals("jwt")) {
          policies.authentications().forEach(each -> objects.add(ObjectReference.of(each)));
        } else {
          policies.authorizations().forEach(each -> objects.add(ObjectReference.of(each)));
        }
      }
    }
    // Of listeners, which all services share, trials tell.
    return objects;
  }

  private String message(
      Rejected rejected, ObjectReference object, Collection<ObjectReference> together) {
    return doesNotTake(object, together) + ", and keeps what it had before: " + rejected;
  }

  private String doesNotTake(ObjectReference object, Collection<ObjectReference> together) {
    List<String> others =
        together.stream()
            .filter(each -> !each.equals(object))
            .map(ObjectReference::toString)
            .sorted()
            .toList();
    return "waypoint "
        + waypoint
        + " does not take what this comes to"
        + (others.isEmpty() ? "" : " together with " + listed(others));
  }

  /** Routes' statuses with what is to be said because of these. */
  List<RouteStatus> said(List<RouteStatus> statuses, Sources sources) {
    Map<String, Collection<Leading>> leading = new HashMap<>();
    all.values().stream()
        .filter(Rejections::isOfCluster)
        .forEach(rejected -> leading.computeIfAbsent(rejected.name(), sources::leadingTo));
    return statuses.stream().map(status -> said(status, leading, sources)).toList();
  }

  private static boolean isOfCluster(Rejected rejected) {
    return rejected.type().equals(EnvoyTypes.CLUSTER)
        || rejected.type().equals(EnvoyTypes.ENDPOINTS);
  }

  private RouteStatus said(
      RouteStatus status, Map<String, Collection<Leading>> leading, Sources sources) {
    RouteStatus said = status;
    for (Rejected rejected : all.values()) {
      if (rejected.type().equals(EnvoyTypes.ROUTES)
          && sources
              .service(rejected.part(1))
              .filter(service -> concerns(status, service, rejected.part(2)))
              .isPresent()) {
        said = notEnforced(said, NO_ROUTES + KEEPS, rejected.toString());
      }
      if (isOfCluster(rejected)
          && leading.getOrDefault(rejected.name(), List.of()).stream()
              .anyMatch(each -> concerns(status, each.service(), String.valueOf(each.port())))) {
        said =
            notEnforced(
                said,
                " does not take a backend that the routes of this parent lead to, and keeps what it"
                    + " had of it, if anything",
                rejected.toString());
      }
    }
    for (Map.Entry<String, ListenerTrials.Held> each : held.entrySet()) {
      // Routes of requests are told by themselves; without a chain they lead nowhere.
      if ((each.getValue().leftOut() || CONNECTION_ROUTES.contains(status.route().kind()))
          && sources
              .service(each.getKey())
              .filter(service -> concerns(status, service, ""))
              .isPresent()) {
        said =
            notEnforced(
                said,
                NO_ROUTES + (each.getValue().leftOut() ? "" : KEEPS),
                text(each.getKey(), each.getValue()));
      }
    }
    return said;
  }

  /**
   * @param port empty for any
   */
  private boolean concerns(RouteStatus status, MeshService service, String port) {
    ParentReference parent = status.parent();
    String namespace =
        parent.getNamespace() == null || parent.getNamespace().isEmpty()
            ? status.route().namespace()
            : parent.getNamespace();
    String kind = parent.getKind() == null ? "Gateway" : parent.getKind();
    if (kind.equals("Gateway")) {
      return waypoint.equals(namespace + "/" + parent.getName());
    }
    String expected =
        switch (service.kind()) {
          case SERVICE -> "Service";
          case SERVICE_ENTRY -> "ServiceEntry";
        };
    return kind.equals(expected)
        && namespace.equals(service.namespace())
        && service.name().equals(parent.getName())
        && (port.isEmpty()
            || parent.getPort() == null
            || port.equals(String.valueOf(parent.getPort())));
  }

  private RouteStatus notEnforced(RouteStatus status, String what, String rejected) {
    return new RouteStatus(
        status.route(),
        status.generation(),
        status.parent(),
        status.conditions().stream()
            .map(
                condition ->
                    condition.type().equals(RouteStatus.ENFORCED) && condition.holds()
                        ? new ObjectCondition(
                            RouteStatus.ENFORCED,
                            false,
                            REASON,
                            "waypoint " + waypoint + what + ": " + rejected)
                        : condition)
            .toList());
  }
}
