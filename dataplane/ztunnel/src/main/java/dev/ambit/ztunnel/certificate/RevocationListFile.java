package dev.ambit.ztunnel.certificate;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.cert.CRL;
import java.security.cert.CRLException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509CRL;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Reads revocation lists (RFC 5280) out of a file: any number of them, in PEM or DER. */
final class RevocationListFile {
  private static final String BEGIN = "-----BEGIN X509 CRL-----";
  private static final String END = "-----END X509 CRL-----";
  private static final int SEQUENCE = 0x30;

  private RevocationListFile() {}

  /**
   * Reads all lists in {@code content}. Other PEM blocks are passed over; a file without any list
   * revokes nothing.
   *
   * @throws CRLException where a list cannot be read; then none of them is to be used
   */
  static List<X509CRL> parse(byte[] content) throws CRLException {
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      return content.length > 0 && content[0] == SEQUENCE
          ? parseDer(factory, content)
          : parsePem(factory, new String(content, StandardCharsets.ISO_8859_1));
    } catch (CertificateException | RuntimeException e) {
      // The JDK's parser lets some malformed lists end in unchecked exceptions.
      throw new CRLException("not a revocation list: " + e.getMessage(), e);
    }
  }

  private static List<X509CRL> parseDer(CertificateFactory factory, byte[] content)
      throws CRLException {
    List<X509CRL> lists = new ArrayList<>(1);
    ByteArrayInputStream in = new ByteArrayInputStream(content);
    while (in.available() > 0) {
      lists.add(one(factory, in));
    }
    return lists;
  }

  private static List<X509CRL> parsePem(CertificateFactory factory, String text)
      throws CRLException {
    if (!text.isBlank() && !text.contains("-----BEGIN ")) {
      throw new CRLException("neither DER nor PEM");
    }
    List<X509CRL> lists = new ArrayList<>();
    int at = text.indexOf(BEGIN);
    while (at >= 0) {
      int body = at + BEGIN.length();
      int end = text.indexOf(END, body);
      if (end < 0) {
        throw new CRLException("list " + (lists.size() + 1) + " has no end");
      }
      byte[] der = Base64.getMimeDecoder().decode(text.substring(body, end));
      ByteArrayInputStream in = new ByteArrayInputStream(der);
      lists.add(one(factory, in));
      if (in.available() > 0) {
        throw new CRLException("list " + lists.size() + " is followed by other bytes");
      }
      at = text.indexOf(BEGIN, end);
    }
    return lists;
  }

  private static X509CRL one(CertificateFactory factory, ByteArrayInputStream in)
      throws CRLException {
    CRL list = factory.generateCRL(in);
    if (list instanceof X509CRL parsed) {
      return parsed;
    }
    throw new CRLException("not an X.509 revocation list");
  }
}
