package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.ztunnel.netns.WaypointMesh.Waypoint;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What becomes of traffic while waypoints, what they are told, and whom they meet change. */
class EnvoyChangesIT {
  private static final String HTTP = "{name: http, port: 80, targetPort: 8080}";

  private static WaypointMesh mesh;
  private static Waypoint waypoint;
  private static Pod client;

  @BeforeAll
  static void start() throws Exception {
    mesh = WaypointMesh.start();
    waypoint = mesh.waypoint("waypoint", 1, "service");
    client = mesh.captured(0, "client");
    mesh.closing(Web.serve(mesh.captured(1, "server"), 8080));
  }

  @AfterAll
  static void stop() {
    if (mesh != null) {
      mesh.close();
    }
  }

  private static InetSocketAddress at(String address) {
    try {
      return new InetSocketAddress(InetAddress.getByName(address), 80);
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  /** Asks until the answer is as wanted. */
  private static void becomes(String address, Predicate<Web.Message> wanted) {
    await("the answer of " + address)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> wanted.test(Web.get(client, at(address), "/")));
  }

  private static void becomesRefused(String address) {
    await(address + " to be refused")
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(50))
        .until(
            () -> {
              try {
                Web.get(client, at(address), "/");
                return false;
              } catch (IOException refused) {
                return true;
              }
            });
  }

  private static boolean through(Web.Message answer, String account) {
    return answer.status() == 200
        && answer.body().contains("By=spiffe://cluster.local/ns/shop/sa/" + account + ";");
  }

  private static boolean past(Web.Message answer) {
    return answer.status() == 200 && !answer.body().contains("By=spiffe:");
  }

  @Test
  void aServerThatIsNotWhoItShouldBeIsNotTalkedTo() throws Exception {
    Pod impostor = mesh.captured(1, "mallory");
    mesh.claimAddresses(impostor, "victim");
    List<String> seen = new CopyOnWriteArrayList<>();
    mesh.closing(Web.serve(impostor, 8080, seen::add));
    mesh.service("victim", "10.96.2.1", "victim", "istio.io/use-waypoint: waypoint", HTTP);
    becomes("10.96.2.1", answer -> answer.status() == 503);
    await("the reason in the waypoint's log")
        .atMost(Patience.LONG)
        .until(
            () ->
                waypoint.envoy().log().stream()
                    .anyMatch(
                        line ->
                            line.contains(impostor.ipv4().getHostAddress())
                                && line.contains("CERTIFICATE_VERIFY_FAILED")));
    assertThat(seen).isEmpty();
  }

  @Test
  void whatHappensWithoutTheWaypointIsTheNamespacesChoice() throws Exception {
    mesh.closing(Web.serve(mesh.captured(1, "left"), 8080));
    Waypoint leaving = mesh.waypoint("leaving", 0, "service");
    String use = "istio.io/use-waypoint: leaving";
    mesh.service("rejecting", "10.96.2.2", "left", use, HTTP);
    mesh.service(
        "bypassing", "10.96.2.3", "left", use + ", ambit.dev/waypoint-when-missing: Bypass", HTTP);
    becomes("10.96.2.2", answer -> through(answer, "leaving"));
    becomes("10.96.2.3", answer -> through(answer, "leaving"));
    // One that does not answer is not one that is missing.
    leaving.envoy().close();
    becomesRefused("10.96.2.2");
    becomesRefused("10.96.2.3");
    mesh.client()
        .resources(Gateway.class)
        .inNamespace(WaypointMesh.NAMESPACE)
        .withName("leaving")
        .edit(
            gateway -> {
              gateway.getStatus().setAddresses(List.of());
              return gateway;
            });
    becomes("10.96.2.3", EnvoyChangesIT::past);
    becomesRefused("10.96.2.2");
  }

  @Test
  void whatEnvoyDoesNotTakeOfAListenerCostsNoOtherService() throws Exception {
    Waypoint picky = mesh.waypoint("picky", 0, "service");
    String use = "istio.io/use-waypoint: picky";
    mesh.closing(Web.serve(mesh.captured(1, "logged"), 8080));
    mesh.service("logged", "10.96.2.6", "logged", use, HTTP);
    becomes("10.96.2.6", answer -> through(answer, "picky"));
    // What nobody has objected to for this long was taken.
    WaypointMesh.pause(Duration.ofSeconds(11));

    // Envoy cannot open that file, and says so of the listener that all services share.
    mesh.apply(
        """
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata: {name: logged}
        spec:
          targetRefs: [{group: "", kind: Service, name: logged}]
          accessLogging: [{providers: [{name: nowhere}]}]
        """);
    mesh.service("new", "10.96.2.7", "logged", use, HTTP);
    becomes("10.96.2.7", answer -> through(answer, "picky"));
    assertThat(picky.envoy().logText()).contains("/nowhere/log");
    assertThat(Web.get(client, at("10.96.2.6"), "/")).matches(answer -> through(answer, "picky"));
    assertThat(rejections("picky"))
        .singleElement()
        .asString()
        .contains("shop/logged.shop.svc.cluster.local", "/nowhere/log");

    mesh.delete(Telemetry.class, "logged");
    await("nothing that is not taken")
        .atMost(Patience.LONG)
        .until(() -> rejections("picky").isEmpty());
    assertThat(Web.get(client, at("10.96.2.6"), "/")).matches(answer -> through(answer, "picky"));
  }

  private static List<String> rejections(String waypoint) {
    return mesh.controlPlane().waypointNews().of("shop/" + waypoint).rejections();
  }

  @Test
  void eachInstanceOfAWaypointPrefersWhatIsNearToItself() throws Exception {
    for (int node = 0; node < 2; node++) {
      mesh.apply(
          """
          apiVersion: v1
          kind: Node
          metadata:
            name: %s
            labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: zone-%d}
          """
              .formatted(mesh.nodeName(node), node));
      mesh.closing(Web.serve(mesh.captured(node, "everywhere"), 8080));
    }
    List<Waypoint> instances =
        List.of(mesh.waypoint("zoned", 0, "service"), mesh.instance("zoned", 1));
    mesh.apply(
        """
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: everywhere}
        spec:
          host: everywhere
          trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}
        """);
    mesh.service("everywhere", "10.96.2.8", "everywhere", "istio.io/use-waypoint: zoned", HTTP);
    becomes("10.96.2.8", answer -> through(answer, "zoned"));
    for (int node = 0; node < 2; node++) {
      Waypoint instance = instances.get(node);
      String near = "zone-" + node;
      await("priorities at " + near)
          .atMost(Patience.LONG)
          .pollInterval(Duration.ofMillis(100))
          .untilAsserted(
              () -> assertThat(priorities(instance)).containsEntry(near, "0").containsValue("1"));
    }
    // The node of the client chooses an instance, and that an endpoint in its own zone.
    for (int i = 0; i < 40; i++) {
      assertThat(Web.get(client, at("10.96.2.8"), "/").status()).isEqualTo(200);
    }
    for (int node = 0; node < 2; node++) {
      assertThat(requests(instances.get(node), "zone-" + node)).isPositive();
      assertThat(requests(instances.get(node), "zone-" + (1 - node))).isZero();
    }
  }

  /** Of the endpoints of service "everywhere", as Envoy shows them, by zone. */
  private static Map<String, String> ofEndpoints(Waypoint instance, String figure)
      throws IOException {
    Map<String, String> zones = new HashMap<>();
    Map<String, String> figures = new HashMap<>();
    instance
        .inspect("/clusters")
        .body()
        .lines()
        .filter(line -> line.startsWith("http|shop/everywhere"))
        .map(line -> line.split("::", -1))
        .filter(parts -> parts.length == 4)
        .forEach(
            parts -> {
              if (parts[2].equals("zone")) {
                zones.put(parts[1], parts[3]);
              } else if (parts[2].equals(figure)) {
                figures.put(parts[1], parts[3]);
              }
            });
    Map<String, String> byZone = new HashMap<>();
    zones.forEach((endpoint, zone) -> byZone.put(zone, figures.getOrDefault(endpoint, "")));
    return byZone;
  }

  private static Map<String, String> priorities(Waypoint instance) throws IOException {
    return ofEndpoints(instance, "priority");
  }

  private static int requests(Waypoint instance, String zone) throws IOException {
    return Integer.parseInt(ofEndpoints(instance, "rq_total").getOrDefault(zone, ""));
  }

  @Test
  void changesAndNewCertificatesFailNoRequest() throws Exception {
    mesh.service("busy", "10.96.2.4", "server", "istio.io/use-waypoint: waypoint", HTTP);
    becomes("10.96.2.4", answer -> through(answer, "waypoint"));
    AtomicBoolean ended = new AtomicBoolean();
    AtomicInteger answered = new AtomicInteger();
    List<String> failed = new CopyOnWriteArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      boolean keeps = i % 2 == 0;
      threads.add(Thread.ofPlatform().start(() -> ask(keeps, ended, answered, failed)));
    }
    try {
      String serial = serial();
      mesh.addRoot();
      await("another certificate").atMost(Patience.LONG).until(() -> !serial().equals(serial));
      for (int i = 0; i < 10; i++) {
        change(i);
      }
      int before = answered.get();
      await("more requests").atMost(Patience.LONG).until(() -> answered.get() > before + 200);
    } finally {
      ended.set(true);
      for (Thread thread : threads) {
        thread.join(Patience.LONG);
      }
    }
    assertThat(failed).isEmpty();
  }

  private static void ask(
      boolean keeps, AtomicBoolean ended, AtomicInteger answered, List<String> failed) {
    while (!ended.get()) {
      try (Web.Connection connection = Web.connect(client, at("10.96.2.4"))) {
        boolean goesOn = true;
        while (goesOn && !ended.get()) {
          Web.Message answer = connection.get("/");
          if (answer.status() != 200) {
            failed.add(answer.toString());
          }
          answered.incrementAndGet();
          goesOn = keeps && !answer.header("connection").equals("close");
        }
      } catch (IOException e) {
        failed.add(e.toString());
      }
    }
  }

  /** The serial number of the certificate that the waypoint shows. */
  private static String serial() throws IOException {
    return waypoint.inspect("/certs").body();
  }

  /** Another route, another rule for the endpoints, another policy, and one more service. */
  private static void change(int number) {
    mesh.apply(
        """
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: busy}
        spec:
          parentRefs: [{group: "", kind: Service, name: busy}]
          rules:
          - filters:
            - type: RequestHeaderModifier
              requestHeaderModifier: {set: [{name: x-change, value: "c%1$d"}]}
            backendRefs: [{name: busy, port: 80}]
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: busy}
        spec:
          host: busy
          trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: %2$d}}}
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: busy}
        spec:
          targetRefs: [{group: "", kind: Service, name: busy}]
          action: DENY
          rules: [{to: [{operation: {paths: [/denied-%1$d]}}]}]
        """
            .formatted(number, 100 + number));
    mesh.service(
        "beside-" + number,
        "10.96.2.%d".formatted(100 + number),
        "server",
        "istio.io/use-waypoint: waypoint",
        HTTP);
    becomes("10.96.2.4", answer -> answer.body().contains("x-change=c" + number));
    await("the policy of change " + number)
        .atMost(Patience.LONG)
        .ignoreExceptionsInstanceOf(IOException.class)
        .until(() -> Web.get(client, at("10.96.2.4"), "/denied-" + number).status() == 403);
  }
}
