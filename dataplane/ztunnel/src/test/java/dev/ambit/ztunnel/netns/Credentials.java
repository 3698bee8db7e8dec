package dev.ambit.ztunnel.netns;

import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.stream.Collectors;
import org.bouncycastle.util.io.pem.PemObject;

/** A private key and the certificates that speak for it, leaf first, without the root. */
record Credentials(PrivateKey key, List<X509Certificate> chain) {
  X509Certificate[] chainArray() {
    return chain.toArray(X509Certificate[]::new);
  }

  String chainPem() {
    return chain.stream().map(TestAuthority::pem).collect(Collectors.joining());
  }

  String keyPem() {
    return TestAuthority.pem(new PemObject("PRIVATE KEY", key.getEncoded()));
  }
}
