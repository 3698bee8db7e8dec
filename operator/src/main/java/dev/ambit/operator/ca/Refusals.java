package dev.ambit.operator.ca;

import io.grpc.Status;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one place where refusals are logged, counted by reason, and made opaque for the caller. */
public final class Refusals {
  private static final Logger LOG = LoggerFactory.getLogger(Refusals.class);

  private final MeterRegistry registry;

  /** Counts there, as {@code ambit_ca_refused_total}, from zero for each reason. */
  public Refusals(MeterRegistry registry) {
    this.registry = registry;
    for (Refusal.Reason reason : Refusal.Reason.values()) {
      counter(reason);
    }
  }

  private Counter counter(Refusal.Reason reason) {
    return Counter.builder("ambit.ca.refused")
        .description("Calls to the certificate authority and discovery that were refused")
        .tag("reason", reason.label())
        .register(registry);
  }

  /**
   * Logs and counts it.
   *
   * @param caller whatever is known of the caller
   * @param wanted what it asked for
   * @return what to tell the caller, which is nothing but whether trying again makes sense
   */
  public Status refuse(Refusal refusal, String caller, String wanted) {
    counter(refusal.reason()).increment();
    LOG.atWarn()
        .addKeyValue("reason", refusal.reason().label())
        .addKeyValue("caller", caller)
        .addKeyValue("wanted", wanted)
        .addKeyValue("detail", refusal.detail())
        .log("refused a call");
    if (refusal.reason().passing()) {
      return Status.UNAVAILABLE.withDescription("try again later");
    }
    return switch (refusal.reason()) {
      case INVALID_CSR -> Status.INVALID_ARGUMENT.withDescription("invalid certificate request");
      case NODE_ID_MISMATCH -> Status.PERMISSION_DENIED.withDescription("not permitted");
      case NO_CREDENTIAL,
          CERTIFICATE_WITHOUT_IDENTITY,
          FOREIGN_TRUST_DOMAIN,
          TOKEN_REJECTED,
          TOKEN_OF_NO_SERVICE_ACCOUNT,
          TOKEN_REVIEW_UNAVAILABLE,
          CALLER_NOT_TRUSTED_NODE,
          CALLER_WITHOUT_POD,
          CALLER_POD_UNKNOWN,
          CALLER_POD_MISMATCH,
          CALLER_NOT_ON_NODE,
          INVALID_IDENTITY,
          IDENTITY_NOT_ON_NODE,
          POD_LOOKUP_UNAVAILABLE,
          AUTHORITY_UNAVAILABLE ->
          Status.UNAUTHENTICATED.withDescription("request authentication failed");
    };
  }
}
