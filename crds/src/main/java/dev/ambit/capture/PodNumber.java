package dev.ambit.capture;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collection;

/**
 * Which pods a step of a rollout takes. Each pod has a number that its namespace and name alone
 * make, so that everybody who asks gets the same answer, a StatefulSet's pod keeps its side when it
 * is made anew, and a larger share takes all that a smaller one took.
 */
public final class PodNumber {
  /** The cut that takes every pod: all numbers are below it. */
  public static final int ALL = 1_000_000;

  private PodNumber() {}

  /** The number of a pod, from 0 to 999999. */
  public static int of(String namespace, String name) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest((namespace + "/" + name).getBytes(StandardCharsets.UTF_8));
      return (int) Long.remainderUnsigned(ByteBuffer.wrap(digest).getLong(), ALL);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java runtime has SHA-256", e);
    }
  }

  /**
   * The cut below which so many percent of these pods' numbers are, rounded up to whole pods. Pods
   * that come later are taken in about that share.
   *
   * @param percent from 0 to 100
   */
  public static int cut(int percent, Collection<Integer> numbers) {
    if (percent >= 100) {
      return ALL;
    }
    if (percent <= 0) {
      return 0;
    }
    if (numbers.isEmpty()) {
      return percent * (ALL / 100);
    }
    int taken = Math.ceilDiv(numbers.size() * percent, 100);
    return numbers.stream().sorted().toList().get(taken - 1) + 1;
  }
}
