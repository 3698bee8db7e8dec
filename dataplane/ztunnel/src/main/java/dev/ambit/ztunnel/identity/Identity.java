package dev.ambit.ztunnel.identity;

import java.util.Optional;

/**
 * A workload's SPIFFE identity, {@code spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT}.
 *
 * @param trustDomain such as {@code cluster.local}
 * @param namespace Kubernetes namespace
 * @param serviceAccount Kubernetes service account
 */
public record Identity(String trustDomain, String namespace, String serviceAccount) {
  private static final String SCHEME = "spiffe://";
  private static final String NAMESPACE_MARK = "/ns/";
  private static final String ACCOUNT_MARK = "/sa/";

  public Identity {
    requireSegment("trust domain", trustDomain);
    requireSegment("namespace", namespace);
    requireSegment("service account", serviceAccount);
  }

  private static void requireSegment(String what, String value) {
    if (value.isEmpty() || value.indexOf('/') >= 0) {
      throw new IllegalArgumentException(
          "the " + what + " of an identity is '" + value + "': must be set and without '/'");
    }
  }

  /**
   * Reads an identity's URI form.
   *
   * @throws IllegalArgumentException where {@code uri} is of another form
   */
  public static Identity parse(String uri) {
    return tryParse(uri)
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "'" + uri + "' is not of the form spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/NAME"));
  }

  /** Reads an identity's URI form; empty where {@code uri} is of another form. */
  public static Optional<Identity> tryParse(String uri) {
    if (!uri.startsWith(SCHEME)) {
      return Optional.empty();
    }
    String[] parts = uri.substring(SCHEME.length()).split("/", -1);
    boolean wellFormed =
        parts.length == 5
            && parts[1].equals("ns")
            && parts[3].equals("sa")
            && !parts[0].isEmpty()
            && !parts[2].isEmpty()
            && !parts[4].isEmpty();
    return wellFormed ? Optional.of(new Identity(parts[0], parts[2], parts[4])) : Optional.empty();
  }

  /** The URI form, as certificates carry it. */
  public String uri() {
    return SCHEME + principal();
  }

  /** The URI form without {@code spiffe://}, as policies name it. */
  public String principal() {
    return trustDomain + NAMESPACE_MARK + namespace + ACCOUNT_MARK + serviceAccount;
  }

  /** Whether {@link #principal} is {@code text}, without writing it out. */
  public boolean hasPrincipal(String text) {
    int namespaceAt = trustDomain.length() + NAMESPACE_MARK.length();
    int accountAt = namespaceAt + namespace.length() + ACCOUNT_MARK.length();
    // The length first: among many principals it tells most apart.
    return text.length() == accountAt + serviceAccount.length()
        && text.endsWith(serviceAccount)
        && text.startsWith(namespace, namespaceAt)
        && text.startsWith(trustDomain)
        && text.startsWith(NAMESPACE_MARK, trustDomain.length())
        && text.startsWith(ACCOUNT_MARK, namespaceAt + namespace.length());
  }

  @Override
  public String toString() {
    return uri();
  }
}
