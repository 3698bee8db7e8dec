package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.Optional;
import org.bouncycastle.asn1.sec.SECNamedCurves;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.util.io.pem.PemObject;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which kubeconfigs are read plainly, and which are left to the whole client. */
class PlainAccessTest {
  @TempDir Path folder;

  private Optional<PlainAccess> read(String cluster, String user) {
    try {
      Path file = folder.resolve("config");
      Files.writeString(
          file,
          """
          apiVersion: v1
          kind: Config
          current-context: here
          contexts:
          - {name: elsewhere, context: {cluster: none, user: none}}
          - {name: here, context: {cluster: c, user: u, namespace: shop}}
          clusters:
          - {name: c, cluster: {%s}}
          users:
          - {name: u, user: {%s}}
          """
              .formatted(cluster, user));
      return PlainAccess.of(file, null);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void an_address_and_a_token_are_plain() {
    assertThat(read("server: 'http://localhost:8080/'", "token: abc"))
        .hasValueSatisfying(
            access -> {
              assertThat(access.server()).isEqualTo("http://localhost:8080");
              assertThat(access.token()).isEqualTo("abc");
              assertThat(access.namespace()).isEqualTo("shop");
              assertThat(access.tls()).isNull();
            });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "exec: {command: login}",
        "username: a, password: b",
        "tokenFile: /token",
        "as: somebody",
        "auth-provider: {name: oidc}"
      })
  void other_credentials_are_left_to_the_whole_client(String user) {
    assertThat(read("server: 'http://localhost:8080'", user)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "server: 'http://localhost', proxy-url: 'http://proxy'",
        "server: 'https://localhost', insecure-skip-tls-verify: true",
        "server: 'https://localhost', tls-server-name: other",
        "server: 'https://localhost'",
        "server: 'https://localhost', certificate-authority: absent.pem",
        "server: 'https://localhost', certificate-authority-data: bm9uZQ=="
      })
  void other_ways_are_left_to_the_whole_client(String cluster) {
    assertThat(read(cluster, "token: abc")).isEmpty();
  }

  @Test
  void what_is_no_kubeconfig_is_left_to_the_whole_client() throws IOException {
    Path file = folder.resolve("config");
    for (String text : new String[] {"", "[1, 2]", "{", "current-context: absent"}) {
      Files.writeString(file, text);
      assertThat(PlainAccess.of(file, null)).as(text).isEmpty();
    }
  }

  @ParameterizedTest
  @CsvSource({"EC, secp256r1", "EC, secp384r1", "RSA, 2048"})
  void keys_are_read_in_the_forms_that_tools_write(String algorithm, String size) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance(algorithm);
    if (algorithm.equals("EC")) {
      generator.initialize(new ECGenParameterSpec(size));
    } else {
      generator.initialize(new BigInteger(size).intValue());
    }
    PrivateKey key = generator.generateKeyPair().getPrivate();
    var traditional = new StringWriter();
    try (var writer = new JcaPEMWriter(traditional)) {
      writer.writeObject(
          key instanceof ECPrivateKey curve
              ? new PemObject("EC PRIVATE KEY", withCurve(curve, size))
              : key);
    }
    String pkcs8 =
        "-----BEGIN PRIVATE KEY-----\n"
            + Base64.getMimeEncoder(64, "\n".getBytes(StandardCharsets.US_ASCII))
                .encodeToString(key.getEncoded())
            + "\n-----END PRIVATE KEY-----\n";
    assertThat(traditional.toString()).contains(algorithm + " PRIVATE KEY");
    for (String pem : new String[] {traditional.toString(), pkcs8, "noise\n" + pkcs8}) {
      PrivateKey read = PemKey.read(pem);
      assertThat(read.getAlgorithm()).isEqualTo(algorithm);
      // The encodings may differ in what is optional.
      assertThat(number(read)).isEqualTo(number(key));
    }
  }

  /** As OpenSSL and Kubernetes write it: with the name of its curve. */
  private static byte[] withCurve(ECPrivateKey key, String name) throws IOException {
    return new org.bouncycastle.asn1.sec.ECPrivateKey(
            key.getParams().getOrder().bitLength(), key.getS(), SECNamedCurves.getOID(name))
        .getEncoded();
  }

  @Test
  void a_key_that_does_not_name_its_curve_is_not_read() throws Exception {
    String pem =
        "-----BEGIN EC PRIVATE KEY-----\n"
            + Base64.getEncoder()
                .encodeToString(
                    new org.bouncycastle.asn1.sec.ECPrivateKey(256, BigInteger.TEN).getEncoded())
            + "\n-----END EC PRIVATE KEY-----\n";
    assertThatThrownBy(() -> PemKey.read(pem)).isInstanceOf(GeneralSecurityException.class);
    assertThatThrownBy(() -> PemKey.read("nothing")).isInstanceOf(GeneralSecurityException.class);
  }

  private static BigInteger number(PrivateKey key) {
    return switch (key) {
      case ECPrivateKey curve -> curve.getS();
      case RSAPrivateKey rsa -> rsa.getPrivateExponent();
      default -> throw new AssertionError(key.getAlgorithm());
    };
  }
}
