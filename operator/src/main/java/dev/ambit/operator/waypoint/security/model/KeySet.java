package dev.ambit.operator.waypoint.security.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Set;

/** Sets of keys (RFC 7517) as policies carry them. */
final class KeySet {
  private static final Set<String> KINDS = Set.of("RSA", "EC", "OKP");
  private static final JsonMapper JSON = new JsonMapper();

  /** A set with a key that nobody has: no token is of it. */
  static final String OF_NOBODY = ofNobody();

  private KeySet() {}

  /** Whether it has a public key that tokens can be verified with. */
  static boolean isUsable(String text) {
    JsonNode keys;
    try {
      keys = JSON.readTree(text).path("keys");
    } catch (JsonProcessingException _) {
      return false;
    }
    if (!keys.isArray()) {
      return false;
    }
    for (JsonNode key : keys) {
      boolean complete =
          switch (key.path("kty").asText()) {
            case "RSA" -> key.path("n").isTextual() && key.path("e").isTextual();
            case "EC" -> key.path("x").isTextual() && key.path("y").isTextual();
            case "OKP" -> key.path("x").isTextual();
            default -> false;
          };
      if (complete) {
        return true;
      }
    }
    return false;
  }

  /** Whether it has a secret, which anyone who may read the policy could make tokens with. */
  static boolean hasSecret(String text) {
    try {
      for (JsonNode key : JSON.readTree(text).path("keys")) {
        if (!KINDS.contains(key.path("kty").asText()) || key.has("d")) {
          return true;
        }
      }
      return false;
    } catch (JsonProcessingException _) {
      return false;
    }
  }

  /**
   * A point of the curve P-256 that a hash has led to: nobody knows which private key belongs to
   * it.
   */
  private static String ofNobody() {
    BigInteger p =
        new BigInteger("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", 16);
    BigInteger b =
        new BigInteger("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b", 16);
    BigInteger three = BigInteger.valueOf(3);
    for (int i = 0; ; i++) {
      BigInteger x = new BigInteger(1, sha256("ambit: a key of nobody " + i)).mod(p);
      BigInteger right = x.modPow(three, p).subtract(three.multiply(x)).add(b).mod(p);
      // p is 3 modulo 4, so this is a root where there is one.
      BigInteger y = right.modPow(p.add(BigInteger.ONE).shiftRight(2), p);
      if (y.multiply(y).mod(p).equals(right)) {
        return "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"x\":\""
            + coordinate(x)
            + "\",\"y\":\""
            + coordinate(y)
            + "\"}]}";
      }
    }
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private static String coordinate(BigInteger value) {
    byte[] bytes = value.toByteArray();
    byte[] fixed = new byte[32];
    int length = Math.min(bytes.length, fixed.length);
    System.arraycopy(bytes, bytes.length - length, fixed, fixed.length - length, length);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(fixed);
  }
}
