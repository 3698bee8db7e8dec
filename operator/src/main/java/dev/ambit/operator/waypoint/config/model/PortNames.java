package dev.ambit.operator.waypoint.config.model;

import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The names of a service's ports, of which the workload API has only the numbers. */
final class PortNames {
  private PortNames() {}

  /** Those of a Service or a ServiceEntry, by number; the name may be another one at UDP's. */
  static Map<Integer, String> of(HasMetadata object) {
    Map<Integer, String> names = new HashMap<>();
    switch (object) {
      case Service service when service.getSpec() != null ->
          ObjectStore.orEmpty(service.getSpec().getPorts())
              .forEach(port -> put(names, port.getPort(), port.getName(), port.getProtocol()));
      case ServiceEntry entry when entry.getSpec() != null ->
          ObjectStore.orEmpty(entry.getSpec().getPorts())
              .forEach(port -> put(names, port.getNumber(), port.getName(), port.getProtocol()));
      default -> {}
    }
    return names;
  }

  private static void put(
      Map<Integer, String> names,
      @Nullable Number number,
      @Nullable String name,
      @Nullable String protocol) {
    if (number != null && name != null && !"UDP".equalsIgnoreCase(protocol)) {
      names.put(number.intValue(), name);
    }
  }
}
