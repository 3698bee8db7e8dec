package dev.ambit.operator.ca;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/**
 * Trusts client certificates under the roots that the authority has at the time of the handshake.
 */
public final class MeshTrust extends X509ExtendedTrustManager {
  private final CertificateAuthority authority;
  private volatile @Nullable Verifier verifier;

  private record Verifier(List<X509Certificate> roots, X509ExtendedTrustManager delegate) {}

  /** Follows that authority. */
  public MeshTrust(CertificateAuthority authority) {
    this.authority = authority;
  }

  private X509ExtendedTrustManager delegate() throws CertificateException {
    List<X509Certificate> roots = authority.roots();
    Verifier present = verifier;
    if (present != null && present.roots().equals(roots)) {
      return present.delegate();
    }
    if (roots.isEmpty()) {
      throw new CertificateException("no roots are loaded yet");
    }
    X509ExtendedTrustManager made = verifierFor(roots);
    verifier = new Verifier(roots, made);
    return made;
  }

  private static X509ExtendedTrustManager verifierFor(List<X509Certificate> roots)
      throws CertificateException {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      for (int i = 0; i < roots.size(); i++) {
        store.setCertificateEntry("root-" + i, roots.get(i));
      }
      TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
      factory.init(store);
      for (TrustManager candidate : factory.getTrustManagers()) {
        if (candidate instanceof X509ExtendedTrustManager extended) {
          return extended;
        }
      }
      throw new CertificateException("this Java runtime has no PKIX trust manager");
    } catch (GeneralSecurityException | java.io.IOException e) {
      throw new CertificateException("the mesh's roots cannot be used", e);
    }
  }

  /** Whether a chain leads to the mesh; who it is of is for the caller to look at. */
  void checkPeer(X509Certificate[] chain) throws CertificateException {
    delegate().checkServerTrusted(chain, "UNKNOWN");
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    delegate().checkClientTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    delegate().checkClientTrusted(chain, authType, socket);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    delegate().checkClientTrusted(chain, authType, engine);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw new CertificateException("this trust is for clients only");
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return authority.roots().toArray(new X509Certificate[0]);
  }
}
