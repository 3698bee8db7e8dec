package dev.ambit.operator.ca;

import com.google.protobuf.Value;
import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateResponse;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Issues certificates over Istio's certificate service: to callers for themselves, and to node
 * proxies for the pods of their node. Needs {@link CallerAuthentication} in front.
 */
public final class CertificateService
    extends IstioCertificateServiceGrpc.IstioCertificateServiceImplBase {
  private static final Logger LOG = LoggerFactory.getLogger(CertificateService.class);
  private static final String IMPERSONATED = "ImpersonatedIdentity";

  private final CertificateAuthority authority;
  private final NodeAuthorization nodes;
  private final Refusals refusals;
  private final Counter issued;

  /** Counts what it issues as {@code ambit_ca_issued_total}. */
  public CertificateService(
      CertificateAuthority authority,
      NodeAuthorization nodes,
      Refusals refusals,
      MeterRegistry registry) {
    this.authority = authority;
    this.nodes = nodes;
    this.refusals = refusals;
    this.issued =
        Counter.builder("ambit.ca.issued")
            .description("Workload certificates issued")
            .register(registry);
  }

  private sealed interface Outcome {
    record Issued(SpiffeId identity, IssuedCertificate certificate) implements Outcome {}

    record Refused(Refusal refusal) implements Outcome {}
  }

  @Override
  public void createCertificate(
      IstioCertificateRequest request, StreamObserver<IstioCertificateResponse> observer) {
    Caller caller = CallerAuthentication.caller();
    Optional<String> wanted = impersonated(request);
    switch (decide(caller, wanted, request)) {
      case Outcome.Refused(Refusal refusal) -> {
        Status status =
            refusals.refuse(
                refusal, caller.identity().uri(), wanted.orElse(caller.identity().uri()));
        observer.onError(status.asRuntimeException());
      }
      case Outcome.Issued(SpiffeId identity, IssuedCertificate certificate) -> {
        issued.increment();
        LOG.atInfo()
            .addKeyValue("identity", identity)
            .addKeyValue("caller", caller.identity())
            .addKeyValue("notAfter", certificate.leaf().getNotAfter().toInstant())
            .log("issued a certificate");
        observer.onNext(
            IstioCertificateResponse.newBuilder().addAllCertChain(certificate.pemChain()).build());
        observer.onCompleted();
      }
    }
  }

  private Outcome decide(Caller caller, Optional<String> wanted, IstioCertificateRequest request) {
    SpiffeId identity = caller.identity();
    if (wanted.isPresent()) {
      Optional<SpiffeId> parsed = SpiffeId.parse(wanted.get());
      if (parsed.isEmpty()) {
        return new Outcome.Refused(
            new Refusal(
                Refusal.Reason.INVALID_IDENTITY,
                "\"" + wanted.get() + "\" is not spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/ACCOUNT"));
      }
      identity = parsed.get();
      Optional<Refusal> refusal = nodes.refusal(caller, identity);
      if (refusal.isPresent()) {
        return new Outcome.Refused(refusal.get());
      }
    }
    try {
      return new Outcome.Issued(
          identity, authority.sign(request.getCsr(), identity, lifetime(request)));
    } catch (InvalidCsrException e) {
      return new Outcome.Refused(new Refusal(Refusal.Reason.INVALID_CSR, message(e)));
    } catch (AuthorityUnavailableException e) {
      return new Outcome.Refused(new Refusal(Refusal.Reason.AUTHORITY_UNAVAILABLE, message(e)));
    }
  }

  private static String message(Exception e) {
    return String.valueOf(e.getMessage());
  }

  private static Duration lifetime(IstioCertificateRequest request) {
    return Duration.ofSeconds(Math.max(0, request.getValidityDuration()));
  }

  private static Optional<String> impersonated(IstioCertificateRequest request) {
    Value value = request.getMetadata().getFieldsMap().get(IMPERSONATED);
    // Present in any form counts, so that a malformed wish is refused and not taken for no wish.
    return value == null
        ? Optional.empty()
        : Optional.of(value.hasStringValue() ? value.getStringValue() : value.toString());
  }
}
