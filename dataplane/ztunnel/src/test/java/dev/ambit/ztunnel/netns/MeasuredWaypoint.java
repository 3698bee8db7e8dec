package dev.ambit.ztunnel.netns;

import io.fabric8.kubernetes.api.model.HasMetadata;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;

/**
 * A client and a server on two nodes whose ztunnels go on at layer 4 to one address of the server,
 * and through a waypoint on the server's node to another, for measurements.
 */
public final class MeasuredWaypoint implements AutoCloseable {
  private static final String DIRECT = "10.96.0.1";
  private static final String THROUGH = "10.96.0.2";
  private static final String ROUTED = "10.96.0.3";
  private static final int PORT = 8080;
  private static final int ROUTED_PORT = 8090;
  private static final String USE = "istio.io/use-waypoint: waypoint";

  private final WaypointMesh mesh;
  private final WaypointMesh.Waypoint waypoint;
  private final Pod client;
  private final Pod server;
  private int change;

  private MeasuredWaypoint() throws Exception {
    mesh = WaypointMesh.start();
    try {
      waypoint = mesh.waypoint("waypoint", 1, "service");
      client = mesh.captured(0, "client");
      server = mesh.captured(1, "server");
      mesh.closing(Web.serve(server, ROUTED_PORT));
      String port = "{name: http, port: %d}".formatted(PORT);
      mesh.service("direct", DIRECT, "server", "", port);
      mesh.service("through", THROUGH, "server", USE, port);
      mesh.service(
          "routed", ROUTED, "server", USE, "{name: http, port: %d}".formatted(ROUTED_PORT));
      changeRoute();
    } catch (Exception e) {
      mesh.close();
      throw e;
    }
  }

  /** All of it, with nothing served yet at the server's port 8080. */
  public static MeasuredWaypoint create() throws Exception {
    return new MeasuredWaypoint();
  }

  /** The namespace of the client, as {@code ip netns} knows it. */
  public String clientNamespace() {
    return client.host().name();
  }

  public String serverNamespace() {
    return server.host().name();
  }

  /** The server's address that connections to stay at layer 4. */
  public String directAddress() {
    return DIRECT;
  }

  /** The server's address that connections to go through the waypoint. */
  public String throughAddress() {
    return THROUGH;
  }

  /** The command that runs {@code command} in the client's pod. */
  public List<String> inClient(List<String> command) {
    return client.host().command(command);
  }

  /** The processes of the client's and the server's ztunnel. */
  public List<Long> ztunnels() {
    return List.of(mesh.ztunnel(0).pid(), mesh.ztunnel(1).pid());
  }

  /** The process of the waypoint's Envoy. */
  public long waypoint() {
    return waypoint.envoy().pid();
  }

  /** Where the simulated API server is. */
  public String apiServer() {
    return mesh.client().getConfiguration().getMasterUrl();
  }

  /** Has all go on with a control plane that serves at that port of this machine. */
  public void useControlPlane(int port) throws IOException {
    mesh.useControlPlane(port);
  }

  /** Adds services that go through the waypoint, each with a pod and a route of its own. */
  public void addServices(int count) {
    for (int i = 0; i < count; i++) {
      for (HasMetadata object : service(i)) {
        mesh.client().resource(object).create();
      }
    }
  }

  private List<HasMetadata> service(int number) {
    String manifest =
        """
        apiVersion: v1
        kind: Pod
        metadata:
          name: many-%1$d
          namespace: shop
          labels: {app: many-%1$d}
          annotations: {ambient.istio.io/redirection: enabled}
        spec: {serviceAccountName: many-%1$d, nodeName: %4$s, containers: [{name: main, image: main}]}
        status:
          phase: Running
          podIP: 10.3.%2$d.%3$d
          podIPs: [{ip: 10.3.%2$d.%3$d}]
          conditions: [{type: Ready, status: "True"}]
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: many-%1$d, namespace: shop, labels: {istio.io/use-waypoint: waypoint}}
        spec:
          clusterIP: 10.97.%2$d.%3$d
          clusterIPs: ["10.97.%2$d.%3$d"]
          selector: {app: many-%1$d}
          ports: [{name: http, port: 80, targetPort: 8080}]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: many-%1$d, namespace: shop}
        spec:
          parentRefs: [{group: "", kind: Service, name: many-%1$d}]
          rules:
          - matches: [{path: {type: PathPrefix, value: /api}}]
            timeouts: {request: 5s}
            backendRefs: [{name: many-%1$d, port: 80}]
          - backendRefs: [{name: many-%1$d, port: 80}]
        """
            .formatted(number, number >> 8, number & 255, server.node().name());
    return mesh.load(manifest);
  }

  /** Waits until the waypoint knows so many added services. */
  public void awaitServices(int count) {
    org.awaitility.Awaitility.await("the waypoint to know " + count + " services")
        .atMost(Patience.LONG.multipliedBy(4))
        .pollInterval(Duration.ofMillis(500))
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(
            () ->
                waypoint
                        .inspect("/clusters")
                        .body()
                        .lines()
                        .filter(line -> line.contains("many-") && line.contains("::cx_active::"))
                        .count()
                    >= count);
  }

  /**
   * Changes a route and asks over one connection until an answer shows it.
   *
   * @return the time from before the API server was told
   */
  public Duration changeRoute() throws IOException {
    String value = "v" + ++change;
    var address = new InetSocketAddress(InetAddress.getByName(ROUTED), ROUTED_PORT);
    long start = System.nanoTime();
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: routed}
        spec:
          parentRefs: [{group: "", kind: Service, name: routed}]
          rules:
          - filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: {set: [{name: x-version, value: %s}]}
            backendRefs: [{name: routed, port: %d}]
        """
            .formatted(value, ROUTED_PORT));
    long patience = start + Patience.LONG.toNanos();
    while (true) {
      try (Web.Connection connection = Web.connect(client, address)) {
        for (boolean open = true; open; ) {
          Web.Message answer = connection.get("/");
          if (answer.body().contains("x-version=" + value)) {
            return Duration.ofNanos(System.nanoTime() - start);
          }
          open = !answer.header("connection").equals("close");
          give(patience);
        }
      } catch (IOException notYet) {
        give(patience);
      }
    }
  }

  private static void give(long patience) throws IOException {
    if (System.nanoTime() > patience) {
      throw new IOException("a changed route has no effect within " + Patience.LONG);
    }
    WaypointMesh.pause(Duration.ofMillis(1));
  }

  @Override
  public void close() {
    mesh.close();
  }
}
