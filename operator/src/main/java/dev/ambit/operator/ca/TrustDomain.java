package dev.ambit.operator.ca;

/**
 * The name under which all identities of one mesh live, as the SPIFFE ID specification (section
 * 2.1) allows it.
 */
public record TrustDomain(String name) {

  /**
   * Checks the name.
   *
   * @throws InvalidTrustDomainException saying what is wrong with it
   */
  public TrustDomain {
    if (name.isEmpty()) {
      throw new InvalidTrustDomainException(name, "is empty");
    }
    if (name.length() > 255) {
      throw new InvalidTrustDomainException(name, "is longer than 255 characters");
    }
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      boolean allowed =
          (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
      if (!allowed) {
        throw new InvalidTrustDomainException(name, "contains '" + c + "'");
      }
    }
  }

  @Override
  public String toString() {
    return name;
  }
}
