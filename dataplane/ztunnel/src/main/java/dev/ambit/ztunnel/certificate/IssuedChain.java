package dev.ambit.ztunnel.certificate;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * What the authority issued, checked to be what was asked for.
 *
 * @param chain the leaf, then its intermediates
 * @param roots whom peers have to chain to
 */
record IssuedChain(List<X509Certificate> chain, List<X509Certificate> roots) {
  private static final Integer URI_NAME = 6;

  /**
   * Reads the authority's answer to {@code request}.
   *
   * @throws CertificateException where it is malformed, of another key, for another identity or
   *     already over
   */
  static IssuedChain of(List<String> pem, SigningRequest request, Instant now)
      throws GeneralSecurityException {
    if (pem.size() < 2) {
      throw new CertificateException(
          "the authority answered with " + pem.size() + " elements, not a leaf and roots");
    }
    List<X509Certificate> chain = new ArrayList<>();
    for (String element : pem.subList(0, pem.size() - 1)) {
      chain.addAll(certificates(element));
    }
    List<X509Certificate> roots = certificates(pem.getLast());
    if (chain.isEmpty() || roots.isEmpty()) {
      throw new CertificateException("the authority answered without a leaf or without roots");
    }
    X509Certificate leaf = chain.getFirst();
    if (!leaf.getPublicKey().equals(request.keys().getPublic())) {
      throw new CertificateException("the authority certified another key than the one asked for");
    }
    if (!names(leaf).equals(List.of(request.identity().uri()))) {
      throw new CertificateException(
          "the authority certified " + names(leaf) + ", asked for was " + request.identity());
    }
    if (!leaf.getNotAfter().toInstant().isAfter(now)) {
      throw new CertificateException(
          "the authority's certificate for " + request.identity() + " is over already");
    }
    return new IssuedChain(List.copyOf(chain), List.copyOf(roots));
  }

  X509Certificate leaf() {
    return chain.getFirst();
  }

  Instant expiry() {
    Instant earliest = leaf().getNotAfter().toInstant();
    for (X509Certificate certificate : chain) {
      Instant end = certificate.getNotAfter().toInstant();
      earliest = end.isBefore(earliest) ? end : earliest;
    }
    return earliest;
  }

  private static List<X509Certificate> certificates(String pem) throws CertificateException {
    List<X509Certificate> certificates = new ArrayList<>();
    try {
      Collection<? extends Certificate> parsed =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(
                  new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
      for (Certificate certificate : parsed) {
        certificates.add((X509Certificate) certificate);
      }
    } catch (RuntimeException e) {
      // The JDK's parser lets some malformed certificates end in unchecked exceptions.
      throw new CertificateException("the authority answered with no certificate", e);
    }
    return certificates;
  }

  private static List<String> names(X509Certificate leaf) throws CertificateException {
    List<String> names = new ArrayList<>();
    Collection<List<?>> all = leaf.getSubjectAlternativeNames();
    if (all != null) {
      for (List<?> name : all) {
        if (URI_NAME.equals(name.get(0)) && name.get(1) instanceof String uri) {
          names.add(uri);
        }
      }
    }
    return names;
  }
}
