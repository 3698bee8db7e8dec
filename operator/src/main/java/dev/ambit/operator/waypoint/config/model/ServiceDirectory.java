package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.Service;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The services of the mesh by their several names, kept current one at a time. */
final class ServiceDirectory implements MeshServices {
  /** Ports at which servers speak first, wherever nothing else is said. */
  private static final Set<Integer> SERVER_FIRST = Set.of(21, 22, 23, 25, 110, 143, 587, 3306);

  private final Map<String, MeshService> byKey = new TreeMap<>();
  private final Map<String, Service> messages = new HashMap<>();
  private final Map<String, Map<String, MeshService>> byHostname = new HashMap<>();
  private final Map<Name, Map<String, MeshService>> byName = new HashMap<>();

  private record Name(MeshService.Kind kind, String namespace, String name) {
    static Name of(MeshService service) {
      return new Name(service.kind(), service.namespace(), service.name());
    }
  }

  /**
   * One that is new or different; whether it differs as routes and policies see it.
   *
   * @param portNames of those ports that have one, by number
   */
  boolean put(
      Service message,
      MeshService.Kind kind,
      Map<String, String> labels,
      Map<Integer, String> portNames) {
    MeshService service =
        new MeshService(
            kind,
            message.getNamespace(),
            message.getName(),
            message.getHostname(),
            labels,
            message.getPortsList().stream().map(port -> port(port, portNames)).toList());
    messages.put(service.key(), message);
    MeshService before = byKey.put(service.key(), service);
    if (service.equals(before)) {
      return false;
    }
    unlink(before);
    byHostname
        .computeIfAbsent(service.hostname(), _ -> new TreeMap<>())
        .put(service.key(), service);
    byName.computeIfAbsent(Name.of(service), _ -> new TreeMap<>()).put(service.key(), service);
    return true;
  }

  boolean remove(String key) {
    messages.remove(key);
    MeshService before = byKey.remove(key);
    unlink(before);
    return before != null;
  }

  private void unlink(@Nullable MeshService service) {
    if (service != null) {
      byHostname.computeIfPresent(
          service.hostname(), (_, present) -> without(present, service.key()));
      byName.computeIfPresent(Name.of(service), (_, present) -> without(present, service.key()));
    }
  }

  private static @Nullable Map<String, MeshService> without(
      Map<String, MeshService> present, String key) {
    present.remove(key);
    return present.isEmpty() ? null : present;
  }

  private static ServicePort port(Port port, Map<Integer, String> names) {
    return new ServicePort(
        port.getServicePort(),
        names.getOrDefault(port.getServicePort(), ""),
        switch (port.getAppProtocol()) {
          case HTTP11 -> PortProtocol.HTTP;
          case HTTP2 -> PortProtocol.HTTP2;
          case GRPC -> PortProtocol.GRPC;
          case TCP -> PortProtocol.TCP;
          case TLS -> PortProtocol.TLS;
          case UNKNOWN, UNRECOGNIZED ->
              SERVER_FIRST.contains(port.getServicePort())
                  ? PortProtocol.TCP
                  : PortProtocol.DETECTED;
        });
  }

  Collection<MeshService> all() {
    return byKey.values();
  }

  Optional<MeshService> get(String key) {
    return Optional.ofNullable(byKey.get(key));
  }

  /** As the workload API has it. */
  Optional<Service> message(String key) {
    return Optional.ofNullable(messages.get(key));
  }

  @Override
  public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
    return List.copyOf(byName.getOrDefault(new Name(kind, namespace, name), Map.of()).values());
  }

  @Override
  public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
    Map<String, MeshService> found = byHostname.getOrDefault(hostname, Map.of());
    MeshService own = found.get(viewedFrom + "/" + hostname);
    return own != null
        ? Optional.of(own)
        : found.entrySet().stream()
            .filter(each -> isCanonical(each.getKey()))
            .map(Map.Entry::getValue)
            .findFirst();
  }

  private boolean isCanonical(String key) {
    return message(key).filter(Service::getCanonical).isPresent();
  }
}
