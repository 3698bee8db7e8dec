package dev.ambit.operator.ca;

import java.math.BigInteger;
import java.security.SecureRandom;

/**
 * Serial numbers of certificates: 127 random bits, so that no record of those used before is
 * needed.
 */
final class SerialNumber {
  private static final SecureRandom RANDOM = new SecureRandom();

  private SerialNumber() {}

  static BigInteger next() {
    // RFC 5280 asks for a positive number; zero has a chance of 2^-127.
    return new BigInteger(127, RANDOM).add(BigInteger.ONE);
  }
}
