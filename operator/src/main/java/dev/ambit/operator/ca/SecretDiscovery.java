package dev.ambit.operator.ca;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.Secret;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
import io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryRequest;
import io.envoyproxy.envoy.service.discovery.v3.DeltaDiscoveryResponse;
import io.envoyproxy.envoy.service.discovery.v3.Resource;
import io.envoyproxy.envoy.service.secret.v3.SecretDiscoveryServiceGrpc;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives waypoints their identity, as Envoy cannot ask for a certificate by itself: on each stream a
 * key that was made for this stream alone, with a certificate for who calls; and what peers are to
 * be checked with. Keys are kept nowhere. Both are sent anew while the stream lasts: a certificate
 * at half of its life, and all when the authority or its lists change. Needs {@link
 * CallerAuthentication} in front. Thread-safe.
 */
public final class SecretDiscovery
    extends SecretDiscoveryServiceGrpc.SecretDiscoveryServiceImplBase {
  private static final Logger LOG = LoggerFactory.getLogger(SecretDiscovery.class);
  private static final String TYPE_URL =
      "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";
  private static final Duration RETRY = Duration.ofSeconds(5);

  /** The caller's certificate and key. */
  public static final String OWN = "own";

  /** What peers' certificates have to lead to, and which of them are revoked. */
  public static final String ROOTS = "roots";

  private final CertificateAuthority authority;
  private final Supplier<Optional<String>> revocationLists;
  private final InstantSource clock;
  private final Executor executor;
  private final ScheduledExecutorService scheduler;
  private final Counter issued;
  private final Set<SecretStream> streams = ConcurrentHashMap.newKeySet();

  /**
   * Signs with that authority.
   *
   * @param revocationLists in PEM, where there are any; {@link #changed} says when they differ
   * @param executor where secrets are made and written
   */
  public SecretDiscovery(
      CertificateAuthority authority,
      Supplier<Optional<String>> revocationLists,
      InstantSource clock,
      MeterRegistry registry,
      Executor executor,
      ScheduledExecutorService scheduler) {
    this.authority = authority;
    this.revocationLists = revocationLists;
    this.clock = clock;
    this.executor = executor;
    this.scheduler = scheduler;
    this.issued =
        Counter.builder("ambit.ca.generated")
            .description("Workload certificates issued together with their keys, to waypoints")
            .register(registry);
    // It lives as long as the authority.
    authority.onChange(this::changed);
  }

  /** The authority or its lists are others: everybody is told. */
  public void changed() {
    streams.forEach(stream -> executor.execute(stream::renew));
  }

  /** Ends all streams, so that clients go to another replica. */
  public void close() {
    streams.forEach(SecretStream::complete);
  }

  @Override
  public StreamObserver<DeltaDiscoveryRequest> deltaSecrets(
      StreamObserver<DeltaDiscoveryResponse> responses) {
    ServerCallStreamObserver<DeltaDiscoveryResponse> observer =
        (ServerCallStreamObserver<DeltaDiscoveryResponse>) responses;
    SecretStream stream = new SecretStream(CallerAuthentication.caller().identity(), observer);
    observer.setOnCancelHandler(stream::close);
    streams.add(stream);
    return new StreamObserver<>() {
      @Override
      public void onNext(DeltaDiscoveryRequest request) {
        stream.request(request);
      }

      @Override
      public void onError(Throwable failure) {
        stream.close();
      }

      @Override
      public void onCompleted() {
        stream.complete();
      }
    };
  }

  private final class SecretStream {
    private final SpiffeId caller;
    private final ServerCallStreamObserver<DeltaDiscoveryResponse> observer;

    // All below are guarded by this.
    private final Set<String> names = new LinkedHashSet<>();
    private @Nullable ScheduledFuture<?> renewal;
    private String rootsVersion = "";
    private long nonce;
    private boolean closed;

    SecretStream(SpiffeId caller, ServerCallStreamObserver<DeltaDiscoveryResponse> observer) {
      this.caller = caller;
      this.observer = observer;
    }

    synchronized void request(DeltaDiscoveryRequest request) {
      if (closed) {
        return;
      }
      if (!request.getTypeUrl().isEmpty() && !request.getTypeUrl().equals(TYPE_URL)) {
        fail(
            Status.INVALID_ARGUMENT.withDescription(
                "no resources of type \"" + request.getTypeUrl() + "\" are served here"));
        return;
      }
      if (request.hasErrorDetail()) {
        LOG.atWarn()
            .addKeyValue("identity", caller)
            .addKeyValue("error", request.getErrorDetail().getMessage())
            .log("a waypoint rejected its secrets");
      }
      request.getResourceNamesUnsubscribeList().forEach(names::remove);
      names.addAll(request.getResourceNamesSubscribeList());
      send(request.getResourceNamesSubscribeList());
    }

    /** What differs by now, and a fresh certificate. */
    synchronized void renew() {
      if (!closed) {
        send(names);
      }
    }

    private void send(Collection<String> wanted) {
      DeltaDiscoveryResponse.Builder response =
          DeltaDiscoveryResponse.newBuilder().setTypeUrl(TYPE_URL);
      for (String name : wanted) {
        switch (name) {
          case OWN -> addOwn(response);
          case ROOTS -> addRoots(response);
          default -> response.addRemovedResources(name);
        }
      }
      if (!closed && response.getResourcesCount() + response.getRemovedResourcesCount() > 0) {
        observer.onNext(response.setNonce(Long.toString(++nonce)).build());
      }
    }

    private void addOwn(DeltaDiscoveryResponse.Builder response) {
      KeyedCertificate made;
      try {
        made = authority.generate(caller);
      } catch (AuthorityUnavailableException e) {
        LOG.atWarn()
            .addKeyValue("identity", caller)
            .setCause(e)
            .log("cannot issue a waypoint's certificate; trying again");
        renewIn(RETRY);
        return;
      }
      Instant notAfter = made.certificate().leaf().getNotAfter().toInstant();
      issued.increment();
      LOG.atInfo()
          .addKeyValue("identity", caller)
          .addKeyValue("notAfter", notAfter)
          .log("issued a certificate to a waypoint");
      renewIn(Duration.between(clock.instant(), notAfter).dividedBy(2));
      response.addResources(
          resource(
              Secret.newBuilder()
                  .setName(OWN)
                  .setTlsCertificate(
                      TlsCertificate.newBuilder()
                          .setCertificateChain(inline(made.chainPem()))
                          .setPrivateKey(inline(made.keyPem())))
                  .build(),
              made.certificate().leaf().getSerialNumber().toString(16)));
    }

    private void addRoots(DeltaDiscoveryResponse.Builder response) {
      Optional<String> roots = authority.rootBundle();
      if (roots.isEmpty()) {
        renewIn(RETRY);
        return;
      }
      CertificateValidationContext.Builder context =
          CertificateValidationContext.newBuilder().setTrustedCa(inline(roots.get()));
      Optional<String> lists = revocationLists.get();
      // There need not be a list of each authority above.
      lists.ifPresent(pem -> context.setCrl(inline(pem)).setOnlyVerifyLeafCertCrl(true));
      String version = hash(roots.get() + lists.orElse(""));
      if (!version.equals(rootsVersion)) {
        rootsVersion = version;
        response.addResources(
            resource(
                Secret.newBuilder().setName(ROOTS).setValidationContext(context).build(), version));
      }
    }

    private void renewIn(Duration delay) {
      ScheduledFuture<?> present = renewal;
      if (present != null) {
        present.cancel(false);
      }
      renewal =
          scheduler.schedule(
              () -> executor.execute(this::renew),
              Math.max(delay.toMillis(), 1000),
              TimeUnit.MILLISECONDS);
    }

    private void fail(Status status) {
      close();
      observer.onError(status.asRuntimeException());
    }

    synchronized void complete() {
      if (!closed) {
        close();
        observer.onCompleted();
      }
    }

    synchronized void close() {
      closed = true;
      streams.remove(this);
      ScheduledFuture<?> present = renewal;
      if (present != null) {
        present.cancel(false);
      }
    }
  }

  private static Resource resource(Secret secret, String version) {
    return Resource.newBuilder()
        .setName(secret.getName())
        .setVersion(version)
        .setResource(Any.newBuilder().setTypeUrl(TYPE_URL).setValue(secret.toByteString()))
        .build();
  }

  private static DataSource inline(String pem) {
    return DataSource.newBuilder()
        .setInlineBytes(ByteString.copyFrom(pem, StandardCharsets.US_ASCII))
        .build();
  }

  private static String hash(String text) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)),
              0,
              12);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java runtime lacks SHA-256", e);
    }
  }
}
