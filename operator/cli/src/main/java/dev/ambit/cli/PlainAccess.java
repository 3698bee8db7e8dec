package dev.ambit.cli;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * How the API server is reached, as a kubeconfig says it plainly: an address, an authority, and a
 * certificate or a token. What asks for more, such as a program that gives credentials or a proxy,
 * is left to the cluster's whole client, which takes much longer to start.
 *
 * @param tls absent for an address without TLS
 */
record PlainAccess(
    String server, @Nullable String namespace, @Nullable String token, @Nullable SSLContext tls) {
  private static final Set<String> OF_CLUSTER =
      Set.of("server", "certificate-authority", "certificate-authority-data", "extensions");
  private static final Set<String> OF_USER =
      Set.of(
          "client-certificate",
          "client-certificate-data",
          "client-key",
          "client-key-data",
          "token",
          "extensions");

  /** The access that a kubeconfig gives; empty where it asks for more than this can do. */
  static Optional<PlainAccess> of(Path kubeconfig, @Nullable String context) {
    try {
      if (!(new Load(LoadSettings.builder().build()).loadFromString(Files.readString(kubeconfig))
          instanceof Map<?, ?> read)) {
        return Optional.empty();
      }
      Object current = context == null ? read.get("current-context") : context;
      Map<?, ?> chosen = named(read, "contexts", "context", current);
      Map<?, ?> cluster = named(read, "clusters", "cluster", chosen.get("cluster"));
      Map<?, ?> user = named(read, "users", "user", chosen.get("user"));
      if (!(cluster.get("server") instanceof String server)
          || !OF_CLUSTER.containsAll(cluster.keySet())
          || !OF_USER.containsAll(user.keySet())) {
        return Optional.empty();
      }
      SSLContext tls = null;
      if (server.startsWith("https:")) {
        tls = tls(new Entry(cluster, kubeconfig), new Entry(user, kubeconfig));
      } else if (!server.startsWith("http:")) {
        return Optional.empty();
      }
      return Optional.of(
          new PlainAccess(
              server.endsWith("/") ? server.substring(0, server.length() - 1) : server,
              chosen.get("namespace") instanceof String namespace ? namespace : null,
              user.get("token") instanceof String token ? token : null,
              tls));
    } catch (IOException
        | GeneralSecurityException
        | IllegalArgumentException
        | YamlEngineException e) {
      // The whole client says what is wrong.
      return Optional.empty();
    }
  }

  private static Map<?, ?> named(
      Map<?, ?> kubeconfig, String list, String field, @Nullable Object name) {
    if (name != null && kubeconfig.get(list) instanceof List<?> entries) {
      for (Object each : entries) {
        if (each instanceof Map<?, ?> entry
            && name.equals(entry.get("name"))
            && entry.get(field) instanceof Map<?, ?> found) {
          return found;
        }
      }
    }
    throw new IllegalArgumentException("no " + field + " " + name);
  }

  /** A cluster's or user's entry, whose certificates and keys are in it or in files beside it. */
  private record Entry(Map<?, ?> fields, Path kubeconfig) {
    Optional<byte[]> pem(String name) throws IOException {
      if (fields.get(name + "-data") instanceof String data) {
        return Optional.of(Base64.getMimeDecoder().decode(data));
      }
      return fields.get(name) instanceof String file
          ? Optional.of(Files.readAllBytes(kubeconfig.resolveSibling(file)))
          : Optional.empty();
    }
  }

  private static SSLContext tls(Entry cluster, Entry user)
      throws IOException, GeneralSecurityException {
    byte[] authority =
        cluster
            .pem("certificate-authority")
            .orElseThrow(() -> new IllegalArgumentException("no authority"));
    KeyStore roots = KeyStore.getInstance(KeyStore.getDefaultType());
    roots.load(null, null);
    for (X509Certificate each : certificates(authority)) {
      roots.setCertificateEntry(each.getSerialNumber().toString(16), each);
    }
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(roots);
    Optional<byte[]> certificate = user.pem("client-certificate");
    Optional<byte[]> key = user.pem("client-key");
    if (certificate.isPresent() != key.isPresent()) {
      throw new IllegalArgumentException("a certificate without its key");
    }
    KeyManager[] keys = null;
    if (certificate.isPresent() && key.isPresent()) {
      keys =
          new KeyManager[] {
            new ClientKey(
                PemKey.read(new String(key.get(), StandardCharsets.US_ASCII)),
                certificates(certificate.get()).toArray(X509Certificate[]::new))
          };
    }
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys, trust.getTrustManagers(), null);
    return context;
  }

  private static List<X509Certificate> certificates(byte[] pem) throws GeneralSecurityException {
    return CertificateFactory.getInstance("X.509")
        .generateCertificates(new ByteArrayInputStream(pem))
        .stream()
        .map(X509Certificate.class::cast)
        .toList();
  }

  /** The one key that there is. A key store would encrypt it first, for a third of a second. */
  private static final class ClientKey extends X509ExtendedKeyManager {
    private static final String ALIAS = "client";

    private final PrivateKey key;
    private final X509Certificate[] chain;

    ClientKey(PrivateKey key, X509Certificate[] chain) {
      this.key = key;
      this.chain = chain;
    }

    @Override
    public String chooseClientAlias(
        String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
      return ALIAS;
    }

    @Override
    public String chooseEngineClientAlias(
        String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
      return ALIAS;
    }

    @Override
    public String[] getClientAliases(String keyType, Principal @Nullable [] issuers) {
      return new String[] {ALIAS};
    }

    @Override
    public X509Certificate[] getCertificateChain(String alias) {
      return chain.clone();
    }

    @Override
    public PrivateKey getPrivateKey(String alias) {
      return key;
    }

    @Override
    public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
      return null;
    }

    @Override
    public @Nullable String chooseServerAlias(
        String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
      return null;
    }
  }
}
