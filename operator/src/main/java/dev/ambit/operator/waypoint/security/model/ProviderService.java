package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import java.util.Optional;

/** Finds the service of a provider: a host name, perhaps with a namespace before it. */
final class ProviderService {
  private ProviderService() {}

  /** Empty where there is no such service, or it has no such port. */
  static Optional<Backend> backend(
      MeshServices services, String service, int port, PortProtocol protocol, String viewedFrom) {
    int slash = service.indexOf('/');
    String namespace = slash < 0 ? viewedFrom : service.substring(0, slash);
    String host = service.substring(slash + 1);
    Optional<MeshService> found =
        services
            .answeringTo(host, namespace)
            .filter(each -> slash < 0 || each.namespace().equals(namespace));
    return found
        .filter(each -> each.port(port).isPresent())
        .map(each -> new Backend(each, port, protocol, Optional.empty()));
  }
}
