package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import dev.ambit.operator.waypoint.testing.EnvoyProcess;
import dev.ambit.operator.xds.DiscoveryServer;
import dev.ambit.operator.xds.StreamAdmission;
import dev.ambit.operator.xds.XdsSettings;
import dev.ambit.operator.xds.XdsType;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatusBuilder;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The real Envoy, started as waypoints are, is given its identity and comes by it to discovery. */
class SecretDiscoveryIT {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final TrustDomain TRUST_DOMAIN = new TrustDomain("cluster.local");
  private static final List<XdsType> TYPES =
      List.of(
          XdsType.of("envoy.config.cluster.v3.Cluster", false),
          XdsType.of("envoy.config.listener.v3.Listener", false));

  @TempDir Path folder;

  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService scheduler = Executors.newSingleThreadScheduledExecutor();
  private final SimpleMeterRegistry registry = new SimpleMeterRegistry();
  private final CertificateAuthority authority = new CertificateAuthority(InstantSource.system());

  /** Tokens that were shown, and identities that came to discovery by a certificate. */
  private final List<String> tokens = new CopyOnWriteArrayList<>();

  private final List<Caller> callers = new CopyOnWriteArrayList<>();
  private volatile Optional<String> revocationLists = Optional.empty();
  private int port;
  private int inspection;
  private @Nullable Server server;
  private @Nullable EnvoyProcess envoy;

  @BeforeEach
  void prepare() throws Exception {
    authority.load(SelfSignedRoot.generate(TRUST_DOMAIN, Instant.now()));
    port = freePort();
    inspection = freePort();
    Files.createDirectories(folder.resolve("roots"));
    writeRoots();
    token("one");
  }

  @AfterEach
  void close() {
    if (envoy != null) {
      envoy.close();
    }
    stopServer();
    scheduler.shutdownNow();
    executor.close();
  }

  private static int freePort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      return socket.getLocalPort();
    }
  }

  private void writeRoots() throws IOException {
    mount("roots", EnvoyBootstrap.ROOT_FILE, authority.rootBundle().orElseThrow());
  }

  private void token(String value) throws IOException {
    mount("token", EnvoyBootstrap.TOKEN_FILE, value);
  }

  /** As the kubelet does it: a link to a folder, both swapped at once. */
  private void mount(String volume, String file, String content) throws IOException {
    Path directory = Files.createDirectories(folder.resolve(volume));
    Path version = directory.resolve(".." + System.nanoTime());
    Files.createDirectories(version);
    Files.writeString(version.resolve(file), content);
    Path next = directory.resolve("..data_tmp");
    Files.createSymbolicLink(next, version.getFileName());
    Files.move(next, directory.resolve("..data"), StandardCopyOption.ATOMIC_MOVE);
    Path visible = directory.resolve(file);
    if (!Files.isSymbolicLink(visible)) {
      Files.createSymbolicLink(visible, Path.of("..data", file));
    }
  }

  private void startServer() throws Exception {
    Refusals refusals = new Refusals(registry);
    TokenReviewer reviewer =
        (token, audience) -> {
          tokens.add(token);
          return new TokenReviewStatusBuilder()
              .withAuthenticated(true)
              .withAudiences(audience)
              .withNewUser()
              .withUsername("system:serviceaccount:shop:waypoint")
              .withGroups("system:serviceaccounts")
              .endUser()
              .build();
        };
    CallerAuthentication authentication =
        new CallerAuthentication(
            List.of(
                new ClientCertificateAuthenticator(() -> TRUST_DOMAIN),
                new ServiceAccountTokenAuthenticator(
                    reviewer, () -> TRUST_DOMAIN, InstantSource.system())),
            refusals);
    DiscoveryServer discovery =
        new DiscoveryServer(
            XdsSettings.DEFAULT,
            _ -> {
              callers.add(CallerAuthentication.caller());
              return new StreamAdmission.Admission.Admitted("shop/waypoint");
            },
            rejection -> {
              throw new AssertionError(rejection);
            },
            registry,
            executor,
            scheduler);
    discovery.open("shop/waypoint", TYPES);
    ServerCertificate certificate =
        new ServerCertificate(
            authority,
            List.of("localhost"),
            () -> new SpiffeId(TRUST_DOMAIN, "ambit-system", "ambit-operator"),
            InstantSource.system());
    server =
        NettyServerBuilder.forPort(port)
            .sslContext(
                GrpcSslContexts.configure(
                        SslContextBuilder.forServer(certificate)
                            .trustManager(new MeshTrust(authority))
                            .clientAuth(ClientAuth.OPTIONAL),
                        SslProvider.JDK)
                    .build())
            .executor(executor)
            .addService(
                ServerInterceptors.intercept(
                    new SecretDiscovery(
                        authority,
                        () -> revocationLists,
                        InstantSource.system(),
                        registry,
                        executor,
                        scheduler),
                    authentication))
            .addService(ServerInterceptors.intercept(discovery, authentication))
            .build()
            .start();
  }

  private void stopServer() {
    Server present = server;
    if (present != null) {
      present.shutdownNow();
      server = null;
    }
  }

  private EnvoyProcess startEnvoy() throws IOException {
    EnvoyBootstrap bootstrap =
        new EnvoyBootstrap(
            "shop",
            "waypoint",
            "waypoint",
            "cluster.local",
            "cluster.local",
            "localhost",
            new EnvoyBootstrap.Settings(
                folder.toString(),
                folder.resolve("roots").toString(),
                folder.resolve("token").toString(),
                port,
                "@" + folder.getFileName(),
                freePort(),
                freePort(),
                inspection));
    for (Map.Entry<String, String> file : bootstrap.files().entrySet()) {
      Files.writeString(folder.resolve(file.getKey()), file.getValue());
    }
    EnvoyProcess started =
        EnvoyProcess.start(List.of(), bootstrap.arguments("waypoint-1", "127.0.0.1", 5), Map.of());
    envoy = started;
    return started;
  }

  private String inspect(String path) {
    try {
      HttpResponse<String> response =
          HttpClient.newHttpClient()
              .send(
                  HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + inspection + path))
                      .timeout(Duration.ofSeconds(5))
                      .build(),
                  HttpResponse.BodyHandlers.ofString());
      return response.statusCode() + "\n" + response.body();
    } catch (IOException e) {
      return "";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private void awaitReady(EnvoyProcess started) {
    await("Envoy's readiness")
        .atMost(PATIENCE)
        .untilAsserted(() -> assertThat(inspect("/ready")).as(started.logText()).startsWith("200"));
  }

  @Test
  void aWaypointComesByItsTokenToACertificateAndByThatToDiscovery() throws Exception {
    startServer();
    EnvoyProcess started = startEnvoy();
    awaitReady(started);
    assertThat(tokens).contains("one");
    assertThat(callers)
        .isNotEmpty()
        .allMatch(
            caller ->
                caller.identity().uri().equals("spiffe://cluster.local/ns/shop/sa/waypoint")
                    && caller.pod().isEmpty());
    // Nothing that changes anything, and no key.
    assertThat(inspect("/quitquitquit")).startsWith("404");
    assertThat(inspect("/config_dump")).startsWith("200").doesNotContain("PRIVATE KEY");

    // The kubelet swaps the token, the operator goes and comes back.
    token("two");
    stopServer();
    int before = callers.size();
    startServer();
    await().atMost(PATIENCE).until(() -> tokens.contains("two") && callers.size() > before);
    assertThat(started.isAlive()).isTrue();
    awaitReady(started);
  }
}
