package dev.ambit.operator.ca;

import java.security.cert.X509Certificate;
import java.util.List;

/**
 * A certificate that was just signed.
 *
 * @param intermediates what it has to be presented with, its signer first
 * @param roots all roots of the mesh
 */
public record IssuedCertificate(
    X509Certificate leaf, List<X509Certificate> intermediates, List<X509Certificate> roots) {

  /**
   * As the certificate service answers: one PEM an element, leaf first, and all roots in the last.
   */
  public List<String> pemChain() {
    java.util.ArrayList<String> chain = new java.util.ArrayList<>();
    chain.add(Pem.encode(leaf));
    intermediates.forEach(certificate -> chain.add(Pem.encode(certificate)));
    chain.add(Pem.encode(roots));
    return List.copyOf(chain);
  }

  /** Leaf and intermediates, as a TLS server presents them. */
  X509Certificate[] presented() {
    java.util.ArrayList<X509Certificate> chain = new java.util.ArrayList<>();
    chain.add(leaf);
    chain.addAll(intermediates);
    return chain.toArray(new X509Certificate[0]);
  }
}
