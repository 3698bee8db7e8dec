package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** Signs certificate requests: the certificate authority, as this node sees it. */
public interface CertificateIssuer {
  /**
   * Asks for a certificate.
   *
   * @param identity whom the certificate is for
   * @param requestPem a PKCS#10 request
   * @return PEM: the leaf, then intermediates one an element, then all roots in one element
   */
  CompletionStage<List<String>> issue(Identity identity, String requestPem);
}
