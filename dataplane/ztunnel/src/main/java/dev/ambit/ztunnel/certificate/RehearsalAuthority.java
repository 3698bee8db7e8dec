package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.SSLException;

/**
 * A certificate authority for one certificate, whose keys nobody keeps: it issues what a handshake
 * of this process with itself needs, in the ways of a real one, so that these ways are known when
 * the real one answers. Nothing outside ever trusts it.
 */
public final class RehearsalAuthority {
  private static final Duration VALIDITY = Duration.ofHours(1);
  private static final DateTimeFormatter UTC_TIME =
      DateTimeFormatter.ofPattern("yyMMddHHmmss'Z'").withZone(ZoneOffset.UTC);

  private static final int BOOLEAN = 0x01;
  private static final int UTF8_STRING = 0x0c;
  private static final int UTC = 0x17;
  private static final int VERSION = 0xa0; // [0], constructed
  private static final int EXTENSIONS = 0xa3; // [3], constructed
  // 2.5.4.3
  private static final byte[] COMMON_NAME = {0x55, 0x04, 0x03};
  // 2.5.29.19
  private static final byte[] BASIC_CONSTRAINTS = {0x55, 0x1d, 0x13};

  private static final byte[] YES = {(byte) 0xff};

  private RehearsalAuthority() {}

  /** A key and a certificate of {@code identity}, which trusts none but its own authority. */
  public static TlsIdentity issue(Identity identity) throws GeneralSecurityException, SSLException {
    SigningRequest request = SigningRequest.create(identity);
    KeyPair authority = SigningRequest.newKeys();
    Instant now = Instant.now();
    byte[] leafName = SigningRequest.subjectAltName(identity);
    byte[] isAuthority =
        Der.sequence(
            Der.value(Der.OID, BASIC_CONSTRAINTS),
            Der.value(BOOLEAN, YES),
            Der.value(Der.OCTET_STRING, Der.sequence(Der.value(BOOLEAN, YES))));
    byte[] leaf =
        certificate("leaf", request.keys().getPublic(), authority.getPrivate(), leafName, now);
    byte[] root =
        certificate("root", authority.getPublic(), authority.getPrivate(), isAuthority, now);
    return TlsContexts.of(
        identity,
        request.keys().getPrivate(),
        IssuedChain.of(List.of(pem(leaf), pem(root)), request, now));
  }

  /** A certificate (RFC 5280, section 4.1) whose issuer is {@code root}. */
  private static byte[] certificate(
      String subject, PublicKey key, PrivateKey signer, byte[] extension, Instant now)
      throws GeneralSecurityException {
    byte[] algorithm = Der.sequence(Der.value(Der.OID, Der.ECDSA_WITH_SHA256));
    byte[] content =
        Der.sequence(
            Der.value(VERSION, Der.value(Der.INTEGER, new byte[] {2})),
            Der.value(Der.INTEGER, new byte[] {(byte) subject.length()}),
            algorithm,
            name("root"),
            Der.sequence(time(now.minus(VALIDITY)), time(now.plus(VALIDITY))),
            name(subject),
            key.getEncoded(),
            Der.value(EXTENSIONS, Der.sequence(extension)));
    Signature signature = Signature.getInstance("SHA256withECDSA");
    signature.initSign(signer);
    signature.update(content);
    byte[] noUnusedBits = {0};
    return Der.sequence(
        content, algorithm, Der.value(Der.BIT_STRING, noUnusedBits, signature.sign()));
  }

  private static byte[] name(String commonName) {
    return Der.sequence(
        Der.value(
            Der.SET,
            Der.sequence(
                Der.value(Der.OID, COMMON_NAME),
                Der.value(UTF8_STRING, commonName.getBytes(StandardCharsets.US_ASCII)))));
  }

  private static byte[] time(Instant instant) {
    return Der.value(UTC, UTC_TIME.format(instant).getBytes(StandardCharsets.US_ASCII));
  }

  private static String pem(byte[] der) {
    Base64.Encoder encoder = Base64.getMimeEncoder(64, new byte[] {'\n'});
    return "-----BEGIN CERTIFICATE-----\n"
        + encoder.encodeToString(der)
        + "\n-----END CERTIFICATE-----\n";
  }
}
