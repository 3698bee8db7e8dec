package dev.ambit.operator.waypoint.model;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A Service, or one host of a ServiceEntry, as routes, policies and clusters refer to it.
 *
 * @param hostname by which the mesh knows it
 * @param name of the object
 */
public record MeshService(
    Kind kind,
    String namespace,
    String name,
    String hostname,
    Map<String, String> labels,
    List<ServicePort> ports) {

  /** What declares it. */
  public enum Kind {
    SERVICE,
    SERVICE_ENTRY
  }

  /** In the workload API: "namespace/hostname". */
  public String key() {
    return namespace + "/" + hostname;
  }

  /** The object that declares it. */
  public ObjectReference reference() {
    return switch (kind) {
      case SERVICE -> new ObjectReference("", "Service", namespace, name);
      case SERVICE_ENTRY ->
          new ObjectReference("networking.istio.io", "ServiceEntry", namespace, name);
    };
  }

  /** The port of that number. */
  public Optional<ServicePort> port(int number) {
    return ports.stream().filter(port -> port.number() == number).findFirst();
  }
}
