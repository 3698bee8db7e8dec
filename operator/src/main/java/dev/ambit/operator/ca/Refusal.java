package dev.ambit.operator.ca;

/**
 * Why a caller was refused. The caller is told only that it was; the log has this.
 *
 * @param detail for the log, naming the objects
 */
public record Refusal(Reason reason, String detail) {

  /** The kinds of refusals, as they are counted. */
  public enum Reason {
    NO_CREDENTIAL,
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
    INVALID_CSR,
    AUTHORITY_UNAVAILABLE,
    NODE_ID_MISMATCH;

    /** As a metric's label: lower case, underscores. */
    public String label() {
      return name().toLowerCase(java.util.Locale.ROOT);
    }

    /** Whether the fault is on our side and the caller should try again. */
    boolean passing() {
      return switch (this) {
        case TOKEN_REVIEW_UNAVAILABLE, POD_LOOKUP_UNAVAILABLE, AUTHORITY_UNAVAILABLE -> true;
        case NO_CREDENTIAL,
            CERTIFICATE_WITHOUT_IDENTITY,
            FOREIGN_TRUST_DOMAIN,
            TOKEN_REJECTED,
            TOKEN_OF_NO_SERVICE_ACCOUNT,
            CALLER_NOT_TRUSTED_NODE,
            CALLER_WITHOUT_POD,
            CALLER_POD_UNKNOWN,
            CALLER_POD_MISMATCH,
            CALLER_NOT_ON_NODE,
            INVALID_IDENTITY,
            IDENTITY_NOT_ON_NODE,
            INVALID_CSR,
            NODE_ID_MISMATCH ->
            false;
      };
    }
  }
}
