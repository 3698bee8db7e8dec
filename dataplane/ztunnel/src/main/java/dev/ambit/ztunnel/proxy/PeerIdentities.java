package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.identity.Identity;
import java.security.cert.Certificate;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;

/** Who a TLS peer has proven to be: the SPIFFE identities among its certificate's URI names. */
final class PeerIdentities {
  private static final int URI_NAME = 6;

  private PeerIdentities() {}

  private static List<Identity> of(SSLSession session) throws SSLException {
    Certificate[] chain;
    try {
      chain = session.getPeerCertificates();
    } catch (SSLPeerUnverifiedException e) {
      throw new SSLException("the peer showed no certificate", e);
    }
    if (chain.length == 0 || !(chain[0] instanceof X509Certificate leaf)) {
      throw new SSLException("the peer showed no X.509 certificate");
    }
    List<Identity> identities = new ArrayList<>(1);
    try {
      var names = leaf.getSubjectAlternativeNames();
      if (names != null) {
        for (List<?> name : names) {
          if (name.get(0) instanceof Integer type
              && type == URI_NAME
              && name.get(1) instanceof String uri) {
            Identity.tryParse(uri).ifPresent(identities::add);
          }
        }
      }
    } catch (CertificateParsingException e) {
      throw new SSLException("the peer's certificate has unreadable names", e);
    }
    return identities;
  }

  /**
   * The one of {@code expected} that a server has proven to be; any of its names will do.
   *
   * @param isExpected whether an identity stands for one of {@code expected}
   * @throws SSLException where it is none of them
   */
  static Identity requireAnyOf(
      SSLSession session, List<Identity> expected, Predicate<Identity> isExpected)
      throws SSLException {
    List<Identity> shown = of(session);
    for (Identity identity : shown) {
      if (isExpected.test(identity)) {
        return identity;
      }
    }
    throw new IdentityMismatchException("the peer is " + shown + ", expected any of " + expected);
  }

  /**
   * Who a client has proven to be: its first SPIFFE name, which must be of {@code trustDomain}.
   *
   * @param isTrusted whether a trust domain stands for {@code trustDomain}
   * @throws SSLException where it is not
   */
  static Identity requireTrustDomain(
      SSLSession session, String trustDomain, Predicate<String> isTrusted) throws SSLException {
    List<Identity> shown = of(session);
    if (!shown.isEmpty() && isTrusted.test(shown.getFirst().trustDomain())) {
      return shown.getFirst();
    }
    throw new IdentityMismatchException(
        "the peer is " + shown + ", expected one of trust domain " + trustDomain);
  }
}
