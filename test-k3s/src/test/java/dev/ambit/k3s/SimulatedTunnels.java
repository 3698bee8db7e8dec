package dev.ambit.k3s;

import com.sun.net.httpserver.HttpServer;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * What the ztunnels of many nodes look like to the operator: behind the address of each pod a
 * tunnel's end with that pod's certificate, which answers HTTP/2's SETTINGS and PING and carries
 * nothing; and at a ztunnel's port what it tells. A program of its own, for the network namespace
 * of a node.
 */
public final class SimulatedTunnels {
  private static final int HBONE = 15008;
  private static final int STATS = 15020;
  private static final int PREFACE = 24;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int GOAWAY = 7;
  private static final int ACK = 1;
  private static final Duration VALID = Duration.ofHours(12);

  private final Authority authority;
  private final Map<String, String> identities;
  private final Map<String, SSLContext> contexts = new ConcurrentHashMap<>();

  private SimulatedTunnels(Authority authority, Map<String, String> identities) {
    this.authority = authority;
    this.identities = identities;
  }

  private record Authority(X509Certificate certificate, PrivateKey key, KeyStore trusted) {}

  /**
   * Serves until it is ended; says a line once it does.
   *
   * @param arguments a file with the authority's certificate and key in PEM, and one with a line
   *     for each pod, its address and its identity
   */
  public static void main(String[] arguments)
      throws IOException, GeneralSecurityException, InterruptedException {
    Map<String, String> identities = new HashMap<>();
    for (String line : Files.readAllLines(Path.of(arguments[1]))) {
      String[] words = line.split(" ", 2);
      identities.put(words[0], words[1]);
    }
    new SimulatedTunnels(authority(Files.readString(Path.of(arguments[0]))), identities).serve();
  }

  private static Authority authority(String pem) throws IOException, GeneralSecurityException {
    X509Certificate certificate = null;
    PrivateKey key = null;
    try (PEMParser parser = new PEMParser(new StringReader(pem))) {
      for (Object next = parser.readObject(); next != null; next = parser.readObject()) {
        switch (next) {
          case org.bouncycastle.cert.X509CertificateHolder holder ->
              certificate = new JcaX509CertificateConverter().getCertificate(holder);
          case PEMKeyPair pair -> key = new JcaPEMKeyConverter().getKeyPair(pair).getPrivate();
          case org.bouncycastle.asn1.pkcs.PrivateKeyInfo info ->
              key = new JcaPEMKeyConverter().getPrivateKey(info);
          default -> {}
        }
      }
    }
    if (certificate == null || key == null) {
      throw new IOException("the authority's file lacks a certificate or a key");
    }
    KeyStore trusted = KeyStore.getInstance(KeyStore.getDefaultType());
    trusted.load(null, null);
    trusted.setCertificateEntry("root", certificate);
    return new Authority(certificate, key, trusted);
  }

  private void serve() throws IOException, InterruptedException {
    HttpServer stats = HttpServer.create(new InetSocketAddress(STATS), 0);
    stats.createContext(
        "/connections",
        exchange -> {
          byte[] none = "{\"namespaces\":[]}".getBytes(StandardCharsets.UTF_8);
          exchange.sendResponseHeaders(200, none.length);
          exchange.getResponseBody().write(none);
          exchange.close();
        });
    stats.start();
    try (ServerSocket server = new ServerSocket(HBONE, 1024);
        var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      System.out.println("serving");
      while (!Thread.currentThread().isInterrupted()) {
        Socket accepted = server.accept();
        threads.execute(() -> answer(accepted));
      }
    }
  }

  private void answer(Socket accepted) {
    try (Socket plain = accepted) {
      plain.setTcpNoDelay(true);
      String identity = identities.get(plain.getLocalAddress().getHostAddress());
      if (identity == null) {
        return;
      }
      SSLContext context = contexts.computeIfAbsent(identity, this::context);
      try (SSLSocket socket =
          (SSLSocket) context.getSocketFactory().createSocket(plain, null, true)) {
        SSLParameters parameters = socket.getSSLParameters();
        parameters.setNeedClientAuth(true);
        parameters.setProtocols(new String[] {"TLSv1.3"});
        parameters.setApplicationProtocols(new String[] {"h2"});
        socket.setSSLParameters(parameters);
        socket.setUseClientMode(false);
        socket.startHandshake();
        speak(
            new DataInputStream(socket.getInputStream()),
            new DataOutputStream(socket.getOutputStream()));
      }
    } catch (IOException e) {
      // Whoever went away in the middle counts it as a failure itself.
      System.err.println(e);
    }
  }

  private static void speak(DataInputStream in, DataOutputStream out) throws IOException {
    in.skipNBytes(PREFACE);
    frame(out, SETTINGS, 0, new byte[0]);
    while (true) {
      int length = (in.readUnsignedByte() << 16) | in.readUnsignedShort();
      int type = in.readUnsignedByte();
      int flags = in.readUnsignedByte();
      in.readInt();
      byte[] payload = in.readNBytes(length);
      if (type == GOAWAY) {
        return;
      }
      if ((flags & ACK) == 0 && type == SETTINGS) {
        frame(out, SETTINGS, ACK, new byte[0]);
      } else if ((flags & ACK) == 0 && type == PING) {
        frame(out, PING, ACK, payload);
      }
    }
  }

  private static void frame(DataOutputStream out, int type, int flags, byte[] payload)
      throws IOException {
    out.writeByte(payload.length >> 16);
    out.writeShort(payload.length);
    out.writeByte(type);
    out.writeByte(flags);
    out.writeInt(0);
    out.write(payload);
    out.flush();
  }

  private SSLContext context(String identity) {
    try {
      KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
      generator.initialize(256);
      KeyPair pair = generator.generateKeyPair();
      Instant now = Instant.now();
      X509Certificate leaf =
          new JcaX509CertificateConverter()
              .getCertificate(
                  new JcaX509v3CertificateBuilder(
                          authority.certificate(),
                          BigInteger.valueOf(now.toEpochMilli()),
                          Date.from(now.minusSeconds(60)),
                          Date.from(now.plus(VALID)),
                          new X500Principal(""),
                          pair.getPublic())
                      .addExtension(
                          Extension.subjectAlternativeName,
                          true,
                          new GeneralNames(
                              new GeneralName(GeneralName.uniformResourceIdentifier, identity)))
                      .build(
                          new JcaContentSignerBuilder(
                                  authority.key().getAlgorithm().startsWith("EC")
                                      ? "SHA256withECDSA"
                                      : "SHA256withRSA")
                              .build(authority.key())));
      KeyStore keys = KeyStore.getInstance(KeyStore.getDefaultType());
      keys.load(null, null);
      keys.setKeyEntry(
          "leaf",
          pair.getPrivate(),
          new char[0],
          new X509Certificate[] {leaf, authority.certificate()});
      KeyManagerFactory own =
          KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
      own.init(keys, new char[0]);
      TrustManagerFactory others =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      others.init(authority.trusted());
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(own.getKeyManagers(), others.getTrustManagers(), null);
      return context;
    } catch (GeneralSecurityException | OperatorCreationException | IOException e) {
      throw new IllegalStateException("no certificate for " + identity, e);
    }
  }
}
