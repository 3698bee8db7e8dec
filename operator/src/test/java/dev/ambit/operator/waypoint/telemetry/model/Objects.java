package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A mesh with a waypoint, two services and a collector. */
final class Objects {
  static final String ROOT = "ambit-system";
  static final WaypointGateway WAYPOINT =
      new WaypointGateway("store", "waypoint", "ambit-waypoint");
  static final MeshService CART = service("store", "cart", 80);
  static final MeshService STOCK = service("store", "stock", 80);
  static final MeshService COLLECTOR = service("tools", "collector", 4317);

  static final Providers PROVIDERS =
      new Providers(
          List.of(
              new Provider.FileLog("json", "/dev/stdout", LogFormat.FIELDS),
              new Provider.CollectorLog(
                  "otlp",
                  new Provider.Collector(COLLECTOR.hostname(), 4317),
                  "log",
                  LogFormat.ISTIO,
                  Map.of()),
              new Provider.Tracer(
                  "spans",
                  new Provider.Collector("tools/" + COLLECTOR.hostname(), 4317),
                  Optional.empty(),
                  256),
              new Provider.Tracer(
                  "lost",
                  new Provider.Collector("nowhere.tools.svc.cluster.local", 4317),
                  Optional.empty(),
                  256)));

  static final MeshServices SERVICES =
      new MeshServices() {
        @Override
        public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
          return all().stream()
              .filter(service -> service.kind() == kind)
              .filter(service -> service.namespace().equals(namespace))
              .filter(service -> service.name().equals(name))
              .toList();
        }

        @Override
        public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
          return all().stream().filter(service -> service.hostname().equals(hostname)).findFirst();
        }

        private List<MeshService> all() {
          return List.of(CART, STOCK, COLLECTOR);
        }
      };

  private Objects() {}

  private static MeshService service(String namespace, String name, int port) {
    return new MeshService(
        MeshService.Kind.SERVICE,
        namespace,
        name,
        name + "." + namespace + ".svc.cluster.local",
        Map.of(),
        List.of(new ServicePort(port, "http", PortProtocol.HTTP)));
  }

  /** An object of that namespace and name; the first named is the oldest. */
  static Telemetry telemetry(String namespace, String name, String spec) {
    return Serialization.unmarshal(
        "apiVersion: telemetry.istio.io/v1\n"
            + "kind: Telemetry\n"
            + "metadata: {name: "
            + name
            + ", namespace: "
            + namespace
            + ", generation: 3}\n"
            + "spec:\n"
            + spec.indent(2),
        Telemetry.class);
  }

  static TelemetryObjects all(Telemetry... objects) {
    for (int i = 0; i < objects.length; i++) {
      objects[i].getMetadata().setCreationTimestamp("2026-01-0" + (i + 1) + "T00:00:00Z");
    }
    return new TelemetryObjects(Arrays.asList(objects), ROOT);
  }
}
