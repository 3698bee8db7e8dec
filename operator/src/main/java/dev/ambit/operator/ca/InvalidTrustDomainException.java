package dev.ambit.operator.ca;

/** A trust domain that SPIFFE does not allow. */
public final class InvalidTrustDomainException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  InvalidTrustDomainException(String name, String why) {
    super(
        "trust domain \""
            + name
            + "\" "
            + why
            + "; use lower-case letters, digits, dots, dashes and underscores, such as cluster.local");
  }
}
