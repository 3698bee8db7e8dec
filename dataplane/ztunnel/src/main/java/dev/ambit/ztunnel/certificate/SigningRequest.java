package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.io.ByteArrayOutputStream;
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
  private static final int INTEGER = 0x02;
  private static final int BIT_STRING = 0x03;
  private static final int OCTET_STRING = 0x04;
  private static final int OID = 0x06;
  private static final int SEQUENCE = 0x30;
  private static final int SET = 0x31;
  private static final int ATTRIBUTES = 0xa0; // [0], constructed
  private static final int URI_NAME = 0x86; // [6], of GeneralName

  private static final byte[] TRUE = {0x01, 0x01, (byte) 0xff};
  // 1.2.840.10045.4.3.2
  private static final byte[] ECDSA_WITH_SHA256 = {
    0x2a, (byte) 0x86, 0x48, (byte) 0xce, 0x3d, 0x04, 0x03, 0x02
  };
  // 1.2.840.113549.1.9.14
  private static final byte[] EXTENSION_REQUEST = {
    0x2a, (byte) 0x86, 0x48, (byte) 0x86, (byte) 0xf7, 0x0d, 0x01, 0x09, 0x0e
  };
  // 2.5.29.17
  private static final byte[] SUBJECT_ALT_NAME = {0x55, 0x1d, 0x11};

  /** Makes a key and the request for {@code identity}. */
  static SigningRequest create(Identity identity) throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    KeyPair keys = generator.generateKeyPair();
    byte[] name = identity.uri().getBytes(StandardCharsets.US_ASCII);
    byte[] extension =
        tlv(
            SEQUENCE,
            tlv(OID, SUBJECT_ALT_NAME),
            TRUE,
            tlv(OCTET_STRING, tlv(SEQUENCE, tlv(URI_NAME, name))));
    byte[] attribute =
        tlv(SEQUENCE, tlv(OID, EXTENSION_REQUEST), tlv(SET, tlv(SEQUENCE, extension)));
    byte[] info =
        tlv(
            SEQUENCE,
            tlv(INTEGER, new byte[] {0}),
            tlv(SEQUENCE),
            keys.getPublic().getEncoded(),
            tlv(ATTRIBUTES, attribute));
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(keys.getPrivate());
    signature.update(info);
    byte[] noUnusedBits = {0};
    byte[] der =
        tlv(
            SEQUENCE,
            info,
            tlv(SEQUENCE, tlv(OID, ECDSA_WITH_SHA256)),
            tlv(BIT_STRING, noUnusedBits, signature.sign()));
    return new SigningRequest(identity, keys, der);
  }

  /** The request in PEM. */
  String pem() {
    Base64.Encoder encoder = Base64.getMimeEncoder(64, new byte[] {'\n'});
    return "-----BEGIN CERTIFICATE REQUEST-----\n"
        + encoder.encodeToString(der)
        + "\n-----END CERTIFICATE REQUEST-----\n";
  }

  /** A value with its tag and length (X.690, definite form). */
  private static byte[] tlv(int tag, byte[]... parts) {
    int length = 0;
    for (byte[] part : parts) {
      length += part.length;
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream(length + 4);
    out.write(tag);
    if (length < 0x80) {
      out.write(length);
    } else if (length < 0x100) {
      out.write(0x81);
      out.write(length);
    } else {
      out.write(0x82);
      out.write(length >>> 8);
      out.write(length);
    }
    for (byte[] part : parts) {
      out.writeBytes(part);
    }
    return out.toByteArray();
  }

  @Override
  public String toString() {
    return "request for " + identity;
  }
}
