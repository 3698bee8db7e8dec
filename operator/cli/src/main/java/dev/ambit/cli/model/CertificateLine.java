package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;

/**
 * A certificate that a ztunnel holds for a service account of its node.
 *
 * @param serial in hexadecimal, as openssl has it
 * @param roots SHA-256 of each root certificate, in hexadecimal, which AmbientMesh's status has too
 */
public record CertificateLine(
    String node,
    String ztunnel,
    String identity,
    String state,
    int pods,
    String serial,
    String notBefore,
    String notAfter,
    List<String> roots) {

  static CertificateLine of(String node, String ztunnel, JsonNode certificate) {
    JsonNode leaf = certificate.at("/certChain/0");
    return new CertificateLine(
        node,
        ztunnel,
        Objects.text(certificate, "/identity"),
        Objects.text(certificate, "/state"),
        certificate.path("pods").asInt(),
        serial(Objects.text(leaf, "/serialNumber")),
        Objects.text(leaf, "/validFrom"),
        Objects.text(leaf, "/expirationTime"),
        Objects.items(certificate, "/rootCerts").stream()
            .map(root -> fingerprint(Objects.text(root, "/pem")))
            .toList());
  }

  private static String serial(String decimal) {
    return decimal.isEmpty() ? "" : new BigInteger(decimal).toString(16);
  }

  /** Of a certificate as the dump has it: its PEM text, base64-encoded once more. */
  private static String fingerprint(String dumped) {
    try {
      String pem = new String(Base64.getDecoder().decode(dumped), StandardCharsets.US_ASCII);
      byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(der));
    } catch (IllegalArgumentException e) {
      return "unreadable";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JVM has SHA-256", e);
    }
  }

  /** How much longer it is valid; nothing where there is no certificate. */
  public Duration left(Instant now) {
    try {
      return Duration.between(now, Instant.parse(notAfter));
    } catch (DateTimeParseException e) {
      return Duration.ZERO;
    }
  }

  /** Whether it can be used. */
  public boolean usable(Instant now) {
    return state.equals("Available") && left(now).isPositive();
  }

  /** Whether it should have been renewed long ago, which happens at half of its life. */
  public boolean overdue(Instant now) {
    try {
      Duration life = Duration.between(Instant.parse(notBefore), Instant.parse(notAfter));
      return left(now).compareTo(life.dividedBy(4)) < 0;
    } catch (DateTimeParseException e) {
      return false;
    }
  }
}
