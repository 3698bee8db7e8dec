package dev.ambit.operator.controlplane;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.MtlsMode;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.ca.AuthorityUnavailableException;
import dev.ambit.operator.ca.CallerAuthentication;
import dev.ambit.operator.ca.CertificateAuthority;
import dev.ambit.operator.ca.CertificateService;
import dev.ambit.operator.ca.ClientCertificateAuthenticator;
import dev.ambit.operator.ca.InvalidTrustDomainException;
import dev.ambit.operator.ca.KubernetesTokenReviewer;
import dev.ambit.operator.ca.MeshTrust;
import dev.ambit.operator.ca.NodeAuthorization;
import dev.ambit.operator.ca.PeerTls;
import dev.ambit.operator.ca.Refusals;
import dev.ambit.operator.ca.SecretDiscovery;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.ServerCertificate;
import dev.ambit.operator.ca.ServiceAccountTokenAuthenticator;
import dev.ambit.operator.ca.SpiffeId;
import dev.ambit.operator.ca.TokenReviewer;
import dev.ambit.operator.ca.TrustDomain;
import dev.ambit.operator.enrollment.model.JudgedPolicy;
import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.MeshSettings;
import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.config.model.WaypointSettings;
import dev.ambit.operator.waypoint.life.WaypointNews;
import dev.ambit.operator.waypoint.route.RouteStatusWriter;
import dev.ambit.operator.waypoint.route.RouteStatuses;
import dev.ambit.operator.xds.DiscoveryServer;
import dev.ambit.operator.xds.RejectionListener;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.grpc.Server;
import io.grpc.ServerInterceptors;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What every replica serves to the nodes, from its own caches: certificates and discovery, over one
 * gRPC port. It begins once the caches are complete and the authority is loaded, so that no node is
 * ever told half of the mesh.
 */
public final class ControlPlane implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(ControlPlane.class);

  /**
   * A reconnecting client lists what it holds, which for a large mesh is more than gRPC's usual 4
   * MiB.
   */
  private static final int LARGEST_REQUEST = 64 * 1024 * 1024;

  private static final Duration RETRY = Duration.ofSeconds(2);
  private static final Duration RENEWAL_CHECK = Duration.ofMinutes(5);
  private static final Duration GRACE = Duration.ofSeconds(5);

  private final KubernetesClient client;
  private final ControlPlaneSettings settings;
  private final MeterRegistry registry;
  private final TokenReviewer tokenReviewer;
  private final ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor();
  private final ScheduledExecutorService scheduler =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("control-plane-timer").daemon().factory());

  private volatile TrustDomain trustDomain = new TrustDomain("cluster.local");
  private final CertificateAuthority authority = new CertificateAuthority(InstantSource.system());
  private final AuthoritySecret authoritySecret;
  private final Refusals refusals;
  private final NodeAuthorization nodes;
  private final DiscoveryServer discovery;
  private final WaypointAccounts waypointAccounts = new WaypointAccounts();
  private final StatusConditions conditions = new StatusConditions();
  private final RouteStatuses routeStatuses = new RouteStatuses();
  private final WaypointNews waypointNews = new WaypointNews();
  private final MeshPublisher publisher;
  private final MeshInformers informers;
  private final SharedIndexInformer<AmbientMesh> meshes;
  private final List<RejectionListener> rejectionListeners = new CopyOnWriteArrayList<>();
  private final CompletableFuture<Void> configured = new CompletableFuture<>();

  // Guarded by this.
  private boolean closed;
  private @Nullable ServerCertificate certificate;
  private @Nullable SecretDiscovery secrets;
  private volatile @Nullable Server server;

  /** Prepares to serve what that client sees; nothing is asked of it yet. */
  public ControlPlane(
      KubernetesClient client, ControlPlaneSettings settings, MeterRegistry registry) {
    this(client, settings, registry, new KubernetesTokenReviewer(client));
  }

  /** The same, with tokens reviewed by another than the API server. */
  public ControlPlane(
      KubernetesClient client,
      ControlPlaneSettings settings,
      MeterRegistry registry,
      TokenReviewer tokenReviewer) {
    this.client = client;
    this.settings = settings;
    this.registry = registry;
    this.tokenReviewer = tokenReviewer;
    this.authoritySecret = new AuthoritySecret(client, settings.rootNamespace(), authority);
    this.refusals = new Refusals(registry);
    SharedIndexInformer<Pod> pods =
        MeshInformers.prepared(client.pods().inAnyNamespace(), Trimming::pod);
    this.nodes =
        new NodeAuthorization(
            settings.trustedNodeAccounts(), this::trustDomain, new InformerPods(client, pods));
    this.discovery =
        new DiscoveryServer(
            settings.xds(),
            new MeshAdmission(nodes, refusals, waypointAccounts::get),
            rejection -> rejectionListeners.forEach(each -> each.rejected(rejection)),
            registry,
            executor,
            scheduler);
    discovery.open(MeshTypes.NODES, MeshTypes.ALL);
    this.publisher =
        new MeshPublisher(
            waypointSettings(AmbientMeshSpec.DEFAULTS),
            discovery,
            waypointAccounts,
            routeStatuses,
            waypointNews,
            conditions,
            scheduler,
            InstantSource.system(),
            settings.quiet(),
            settings.longest());
    rejectionListeners.add(publisher::rejected);
    this.informers = new MeshInformers(client, publisher, pods);
    this.meshes =
        MeshInformers.prepared(
            client.resources(AmbientMesh.class).withName(WellKnown.DEFAULT_NAME),
            Trimming::annotations);
    meshes.addEventHandler(
        new ResourceEventHandler<AmbientMesh>() {
          @Override
          public void onAdd(AmbientMesh added) {
            configure(added);
          }

          @Override
          public void onUpdate(AmbientMesh before, AmbientMesh after) {
            configure(after);
          }

          @Override
          public void onDelete(AmbientMesh deleted, boolean finalStateUnknown) {
            LOG.atWarn().log("the AmbientMesh was deleted; its last settings stay in use");
          }
        });
  }

  /** Begins to watch, and to serve when there is enough to serve. Returns at once. */
  public void start() {
    CompletableFuture.allOf(
            informers.start(),
            meshes.start().toCompletableFuture(),
            configured,
            authoritySecret.loaded())
        .whenComplete(
            (_, failure) -> {
              if (failure == null) {
                executor.execute(this::serve);
              } else {
                LOG.atError().setCause(failure).log("the control plane cannot start");
              }
            });
  }

  /** Whether nodes are served. */
  public boolean ready() {
    return server != null;
  }

  /** What certificates are signed with. */
  public CertificateAuthority authority() {
    return authority;
  }

  /** TLS as the operator itself, to call pods with; nothing before it serves. */
  public synchronized Optional<SSLContext> peerTls() {
    ServerCertificate own = certificate;
    if (own == null) {
      return Optional.empty();
    }
    try {
      return Optional.of(PeerTls.of(own, authority));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java runtime cannot do TLS", e);
    }
  }

  /**
   * Why the Secret that AmbientMesh names is not in use as the certificate authority; nothing where
   * it is.
   */
  public Optional<String> authorityProblem() {
    return authoritySecret.problem();
  }

  /** Says on objects' status what the mesh makes of them, until it is closed; for the leader. */
  public AutoCloseable writeConditions(EventRecorder events) {
    return new StatusConditionWriter(
        StatusConditionWriter.applyBy(client),
        conditions,
        informers.boundObjects(),
        events,
        InstantSource.system());
  }

  /** The policies that bear on a namespace, and what waypoints make of them, once it is served. */
  public Optional<List<JudgedPolicy>> policies(String namespace) {
    if (!ready()) {
      return Optional.empty();
    }
    return Optional.of(
        Stream.of(namespace, settings.rootNamespace())
            .distinct()
            .flatMap(each -> informers.boundObjects().policies(each))
            .map(policy -> new JudgedPolicy(policy, byWaypoints(BoundObjects.key(policy))))
            .toList());
  }

  private Optional<ObjectCondition> byWaypoints(BoundObject policy) {
    return conditions.of(policy).stream()
        .filter(condition -> condition.type().equals(ObjectCondition.WAYPOINT_ACCEPTED))
        .findFirst();
  }

  /** Says on routes' status what became of them, until it is closed; for the leader. */
  public AutoCloseable writeRouteStatuses(EventRecorder events) {
    return new RouteStatusWriter(client, routeStatuses, events, InstantSource.system());
  }

  /** Another replica has heard of a rejection. */
  void heard(RejectionListener.Rejection rejection) {
    publisher.rejected(rejection);
  }

  /** What is to be said on waypoints' Gateways. */
  public WaypointNews waypointNews() {
    return waypointNews;
  }

  /** Calls back, on the client's stream, for each response that a client rejects. */
  public AutoCloseable onRejection(RejectionListener listener) {
    rejectionListeners.add(listener);
    return () -> rejectionListeners.remove(listener);
  }

  /** The port that nodes are served on; only once {@link #ready()}. */
  public int port() {
    Server present = server;
    if (present == null) {
      throw new IllegalStateException("the control plane does not serve yet");
    }
    return present.getPort();
  }

  private TrustDomain trustDomain() {
    return trustDomain;
  }

  private MeshSettings meshSettings(AmbientMeshSpec spec) {
    return new MeshSettings(
        trustDomain.name(),
        spec.trustDomainAliases(),
        settings.rootNamespace(),
        settings.clusterDomain(),
        settings.clusterId(),
        spec.mtls() == MtlsMode.STRICT,
        spec.udp());
  }

  private WaypointSettings waypointSettings(AmbientMeshSpec spec) {
    return new WaypointSettings(
        meshSettings(spec),
        spec.extensionProviders(),
        spec.defaultProviders(),
        spec.waypoint().serveIstioClass());
  }

  private synchronized void configure(AmbientMesh mesh) {
    AmbientMeshSpec spec = mesh.effectiveSpec();
    TrustDomain next;
    try {
      next = new TrustDomain(spec.trustDomain());
      spec.trustDomainAliases().forEach(TrustDomain::new);
    } catch (InvalidTrustDomainException e) {
      LOG.atError()
          .addKeyValue("mesh", mesh.getMetadata().getName())
          .addKeyValue("problem", e.getMessage())
          .log("the AmbientMesh cannot be used");
      return;
    }
    boolean renamed = !next.equals(trustDomain);
    trustDomain = next;
    authority.defaultLifetime(spec.workloadCertificate().lifetime());
    String secret = spec.ca().secretName();
    authoritySecret.follow(secret == null || secret.isEmpty() ? SelfSignedRoot.SECRET : secret);
    MeshSettings meshSettings = meshSettings(spec);
    publisher.change("AmbientMesh default", index -> index.settings(meshSettings));
    WaypointSettings waypointSettings = waypointSettings(spec);
    publisher.changeWaypoints("AmbientMesh default", index -> index.settings(waypointSettings));
    ServerCertificate present = certificate;
    if (renamed && present != null) {
      present.renew();
    }
    configured.complete(null);
  }

  private void serve() {
    synchronized (this) {
      if (closed || server != null) {
        return;
      }
      try {
        // Open first: whoever connects finds all of the mesh.
        publisher.open();
        server = listen();
      } catch (IOException | AuthorityUnavailableException e) {
        LOG.atError()
            .addKeyValue("port", settings.port())
            .setCause(e)
            .log("the control plane cannot serve; it will try again");
        scheduler.schedule(
            () -> executor.execute(this::serve), RETRY.toMillis(), TimeUnit.MILLISECONDS);
        return;
      }
    }
    LOG.atInfo().addKeyValue("port", port()).log("serving certificates and discovery");
  }

  private Server listen() throws IOException, AuthorityUnavailableException {
    ServerCertificate own = certificate;
    if (own == null) {
      own =
          new ServerCertificate(
              authority,
              settings.dnsNames(),
              () -> new SpiffeId(trustDomain, settings.rootNamespace(), settings.account()),
              InstantSource.system());
      certificate = own;
      scheduler.scheduleWithFixedDelay(
          own::renewIfDue, RENEWAL_CHECK.toSeconds(), RENEWAL_CHECK.toSeconds(), TimeUnit.SECONDS);
    }
    CallerAuthentication authentication =
        new CallerAuthentication(
            List.of(
                new ClientCertificateAuthenticator(this::trustDomain),
                new ServiceAccountTokenAuthenticator(
                    tokenReviewer, this::trustDomain, InstantSource.system())),
            refusals);
    CertificateService certificates = new CertificateService(authority, nodes, refusals, registry);
    SecretDiscovery waypointSecrets =
        new SecretDiscovery(
            authority,
            authoritySecret::revocationLists,
            InstantSource.system(),
            registry,
            executor,
            scheduler);
    secrets = waypointSecrets;
    authoritySecret.onRevocation(waypointSecrets::changed);
    return NettyServerBuilder.forPort(settings.port())
        .sslContext(tls(own))
        .executor(executor)
        .maxInboundMessageSize(LARGEST_REQUEST)
        // ztunnels ask every ten seconds.
        .permitKeepAliveTime(5, TimeUnit.SECONDS)
        .permitKeepAliveWithoutCalls(true)
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(20, TimeUnit.SECONDS)
        .addService(ServerInterceptors.intercept(certificates, authentication))
        .addService(ServerInterceptors.intercept(discovery, authentication))
        .addService(ServerInterceptors.intercept(waypointSecrets, authentication))
        .build()
        .start();
  }

  private SslContext tls(ServerCertificate own) throws IOException {
    return GrpcSslContexts.configure(
            SslContextBuilder.forServer(own)
                .trustManager(new MeshTrust(authority))
                .clientAuth(ClientAuth.OPTIONAL)
                .protocols("TLSv1.3", "TLSv1.2"),
            SslProvider.JDK)
        .build();
  }

  @Override
  public void close() {
    Server present;
    SecretDiscovery issuing;
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      present = server;
      server = null;
      issuing = secrets;
    }
    publisher.close();
    meshes.close();
    informers.close();
    authoritySecret.close();
    discovery.close();
    if (issuing != null) {
      issuing.close();
    }
    if (present != null) {
      present.shutdown();
      try {
        if (!present.awaitTermination(GRACE.toMillis(), TimeUnit.MILLISECONDS)) {
          present.shutdownNow();
        }
      } catch (InterruptedException e) {
        present.shutdownNow();
        Thread.currentThread().interrupt();
      }
    }
    scheduler.shutdownNow();
    executor.shutdown();
  }
}
