package dev.ambit.cli;

import java.io.ByteArrayOutputStream;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A private key in PEM: PKCS #8 (RFC 5958), PKCS #1 (RFC 8017) or of an elliptic curve (RFC 5915).
 */
final class PemKey {
  private static final Pattern PEM =
      Pattern.compile("-----BEGIN ((?:RSA |EC )?)PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END");

  private static final int SEQUENCE = 0x30;
  private static final int OCTET_STRING = 0x04;
  private static final int PARAMETERS = 0xa0;

  /** Version 0. */
  private static final byte[] VERSION = {2, 1, 0};

  /** The algorithm rsaEncryption, 1.2.840.113549.1.1.1, with NULL. */
  private static final byte[] RSA = {
    0x30, 0x0d, 0x06, 0x09, 0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 1, 1, 1, 5, 0
  };

  /** The algorithm ecPublicKey, 1.2.840.10045.2.1. */
  private static final byte[] EC = {
    0x06, 0x07, 0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x02, 0x01
  };

  private PemKey() {}

  /**
   * The key of the text, which may have other blocks before it.
   *
   * @throws GeneralSecurityException where there is none that is understood, such as an encrypted
   *     one
   */
  static PrivateKey read(String pem) throws GeneralSecurityException {
    Matcher matcher = PEM.matcher(pem);
    if (!matcher.find()) {
      throw new GeneralSecurityException("no private key");
    }
    byte[] encoded = Base64.getMimeDecoder().decode(matcher.group(2));
    return switch (matcher.group(1)) {
      case "RSA " -> key("RSA", pkcs8(RSA, encoded));
      case "EC " -> key("EC", pkcs8(sequence(EC, curve(encoded)), encoded));
      default -> pkcs8Key(encoded);
    };
  }

  private static PrivateKey pkcs8Key(byte[] encoded) throws GeneralSecurityException {
    try {
      return key("EC", encoded);
    } catch (GeneralSecurityException e) {
      return key("RSA", encoded);
    }
  }

  private static PrivateKey key(String algorithm, byte[] pkcs8) throws GeneralSecurityException {
    return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
  }

  private static byte[] pkcs8(byte[] algorithm, byte[] key) {
    return sequence(VERSION, algorithm, element(OCTET_STRING, key));
  }

  /** The name of the curve, which RFC 5915 puts after the key. */
  private static byte[] curve(byte[] key) throws GeneralSecurityException {
    try {
      int at = content(key, 0);
      while (at < key.length) {
        int content = content(key, at);
        int end = content + length(key, at);
        if ((key[at] & 0xff) == PARAMETERS) {
          return java.util.Arrays.copyOfRange(key, content, end);
        }
        at = end;
      }
    } catch (IndexOutOfBoundsException e) {
      throw new GeneralSecurityException("the key is cut off", e);
    }
    throw new GeneralSecurityException("the key does not name its curve");
  }

  /** Where the content of the element at that place begins. */
  private static int content(byte[] der, int at) {
    int first = der[at + 1] & 0xff;
    return at + 2 + (first < 0x80 ? 0 : first & 0x7f);
  }

  private static int length(byte[] der, int at) {
    int first = der[at + 1] & 0xff;
    if (first < 0x80) {
      return first;
    }
    int length = 0;
    for (int i = 0; i < (first & 0x7f); i++) {
      length = length << 8 | der[at + 2 + i] & 0xff;
    }
    return length;
  }

  private static byte[] sequence(byte[]... elements) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    for (byte[] each : elements) {
      content.writeBytes(each);
    }
    return element(SEQUENCE, content.toByteArray());
  }

  private static byte[] element(int tag, byte[] content) {
    ByteArrayOutputStream der = new ByteArrayOutputStream();
    der.write(tag);
    if (content.length < 0x80) {
      der.write(content.length);
    } else if (content.length < 0x100) {
      der.write(0x81);
      der.write(content.length);
    } else {
      der.write(0x82);
      der.write(content.length >> 8);
      der.write(content.length);
    }
    der.writeBytes(content);
    return der.toByteArray();
  }
}
