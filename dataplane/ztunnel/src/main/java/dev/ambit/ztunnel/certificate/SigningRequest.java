package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;

/**
 * A fresh P-256 key and the PKCS#10 request (RFC 2986) that names it: empty subject, one critical
 * subject alternative name, the identity's URI. The JDK has no encoder for these, and this one form
 * is all that is ever sent.
 *
 * @param keys stay in this process
 */
record SigningRequest(Identity identity, KeyPair keys, byte[] der) {
  private static final int ATTRIBUTES = 0xa0; // [0], constructed
  private static final int URI_NAME = 0x86; // [6], of GeneralName

  private static final byte[] TRUE = {0x01, 0x01, (byte) 0xff};
  // 1.2.840.113549.1.9.14
  private static final byte[] EXTENSION_REQUEST = {
    0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x09, 0x0e
  };
  // 2.5.29.17
  private static final byte[] SUBJECT_ALT_NAME = {0x55, 0x1d, 0x11};

  /** Makes a key and the request for {@code identity}. */
  static SigningRequest create(Identity identity) throws GeneralSecurityException {
    KeyPair keys = newKeys();
    byte[] attribute =
        Der.sequence(
            Der.value(Der.OID, EXTENSION_REQUEST),
            Der.value(Der.SET, Der.sequence(subjectAltName(identity))));
    byte[] info =
        Der.sequence(
            Der.value(Der.INTEGER, new byte[] {0}),
            Der.sequence(),
            keys.getPublic().getEncoded(),
            Der.value(ATTRIBUTES, attribute));
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(keys.getPrivate());
    signature.update(info);
    byte[] noUnusedBits = {0};
    byte[] der =
        Der.sequence(
            info,
            Der.sequence(Der.value(Der.OID, Der.ECDSA_WITH_SHA256)),
            Der.value(Der.BIT_STRING, noUnusedBits, signature.sign()));
    return new SigningRequest(identity, keys, der);
  }

  static KeyPair newKeys() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  /** The extension that names {@code identity}, and is critical since there is no subject. */
  static byte[] subjectAltName(Identity identity) {
    byte[] name = identity.uri().getBytes(StandardCharsets.US_ASCII);
    return Der.sequence(
        Der.value(Der.OID, SUBJECT_ALT_NAME),
        TRUE,
        Der.value(Der.OCTET_STRING, Der.sequence(Der.value(URI_NAME, name))));
  }

  /** The request in PEM. */
  String pem() {
    Base64.Encoder encoder = Base64.getMimeEncoder(64, new byte[] {'\n'});
    return "-----BEGIN CERTIFICATE REQUEST-----\n"
        + encoder.encodeToString(der)
        + "\n-----END CERTIFICATE REQUEST-----\n";
  }

  @Override
  public String toString() {
    return "request for " + identity;
  }
}
