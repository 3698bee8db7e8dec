package dev.ambit.operator.ca;

import java.security.PrivateKey;

/**
 * A certificate together with its key, for a workload that cannot make a key and ask for itself.
 */
record KeyedCertificate(IssuedCertificate certificate, PrivateKey key) {
  /** Leaf and intermediates. */
  String chainPem() {
    return Pem.encode(java.util.List.of(certificate.presented()));
  }

  String keyPem() {
    return Pem.encode(key);
  }

  /** The key never shows. */
  @Override
  public String toString() {
    return "KeyedCertificate[" + certificate.leaf().getSerialNumber().toString(16) + "]";
  }
}
