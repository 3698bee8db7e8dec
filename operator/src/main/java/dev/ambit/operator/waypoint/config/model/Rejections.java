package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.route.model.RouteStatus;
import dev.ambit.operator.waypoint.security.model.AttachedPolicies;
import dev.ambit.operator.xds.XdsType;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.ParentReference;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * What a waypoint's Envoys do not take of what they are sent, and whose fault that is. A rejection
 * is over when something else is sent in the place of what was rejected.
 */
final class Rejections {
  /** The reason of conditions that do not hold because of one. */
  static final String REASON = "RejectedByWaypoint";

  private static final int LONGEST_ERROR = 500;
  private static final int MOST_LISTED = 10;

  private final String waypoint;
  private final Map<String, Rejected> all = new TreeMap<>();

  Rejections(String waypoint) {
    this.waypoint = waypoint;
  }

  /** A resource, and why. */
  record Rejected(XdsType type, String name, String error) {
    @Override
    public String toString() {
      String url = type.url();
      return url.substring(url.lastIndexOf('.') + 1) + " \"" + name + "\": " + error;
    }

    /** What its name says of what it is for, as "http|SERVICE|80". */
    private String part(int index) {
      String[] parts = name.split("\\|", -1);
      return index < parts.length ? parts[index] : "";
    }
  }

  void add(XdsType type, String name, String error) {
    String shown =
        error.length() > LONGEST_ERROR ? error.substring(0, LONGEST_ERROR - 1) + "…" : error;
    all.put(key(type, name), new Rejected(type, name, shown));
  }

  /** Something else was sent. */
  void forget(XdsType type, String name) {
    all.remove(key(type, name));
  }

  private static String key(XdsType type, String name) {
    return type.url() + "/" + name;
  }

  Collection<Rejected> all() {
    return all.values();
  }

  /** For a person. */
  List<String> texts() {
    return all.values().stream().map(Rejected::toString).toList();
  }

  /** What resources are made from. */
  interface Sources {
    Optional<MeshService> service(String key);

    /** What holds for a service; for pods, where there is none. */
    AttachedPolicies policies(Optional<MeshService> service);

    /** VirtualServices and DestinationRules by which a service's routes came about. */
    Collection<ObjectReference> traffic(MeshService service);

    /** DestinationRules by which a cluster of that name came about. */
    Collection<ObjectReference> cluster(String name);
  }

  /** What is to be said on policies and traffic rules in place of what else is said. */
  Map<ObjectReference, String> blamed(Sources sources) {
    Map<ObjectReference, String> blamed =
        new TreeMap<>(java.util.Comparator.comparing(ObjectReference::toString));
    for (Rejected rejected : all.values()) {
      Set<ObjectReference> objects = objects(rejected, sources);
      objects.forEach(object -> blamed.put(object, message(rejected, object, objects)));
    }
    return blamed;
  }

  private Set<ObjectReference> objects(Rejected rejected, Sources sources) {
    Set<ObjectReference> objects = new LinkedHashSet<>();
    if (rejected.type().equals(EnvoyTypes.ROUTES)) {
      sources.service(rejected.part(1)).map(sources::traffic).ifPresent(objects::addAll);
    } else if (rejected.type().equals(EnvoyTypes.CLUSTER)
        || rejected.type().equals(EnvoyTypes.ENDPOINTS)) {
      objects.addAll(sources.cluster(rejected.name()));
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
    // Of listeners, which all services share, nobody can tell: the Gateway says it.
    return objects;
  }

  private String message(
      Rejected rejected, ObjectReference object, Collection<ObjectReference> together) {
    List<String> others =
        together.stream()
            .filter(each -> !each.equals(object))
            .map(ObjectReference::toString)
            .sorted()
            .toList();
    return "waypoint "
        + waypoint
        + " does not take what this comes to"
        + (others.isEmpty()
            ? ""
            : " together with "
                + others.stream().limit(MOST_LISTED).collect(Collectors.joining(", "))
                + (others.size() > MOST_LISTED ? ", …" : ""))
        + ", and keeps what it had before: "
        + rejected;
  }

  /** A route's status with what is to be said because of these. */
  RouteStatus said(RouteStatus status, Sources sources) {
    RouteStatus said = status;
    for (Rejected rejected : all.values()) {
      if (rejected.type().equals(EnvoyTypes.ROUTES)
          && sources
              .service(rejected.part(1))
              .filter(service -> concerns(status, service, rejected.part(2)))
              .isPresent()) {
        said = notEnforced(said, rejected);
      }
    }
    return said;
  }

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
        && (parent.getPort() == null || port.equals(String.valueOf(parent.getPort())));
  }

  private RouteStatus notEnforced(RouteStatus status, Rejected rejected) {
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
                            "waypoint "
                                + waypoint
                                + " does not take the routes of this parent, and keeps those that"
                                + " it had before: "
                                + rejected)
                        : condition)
            .toList());
  }
}
