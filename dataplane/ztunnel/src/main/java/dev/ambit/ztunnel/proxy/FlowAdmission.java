package dev.ambit.ztunnel.proxy;

import java.net.InetAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Bounds how many flows each address has open to a pod, and how many it begins in a second. Any
 * event loop may call it.
 */
final class FlowAdmission {
  private static final double NANOS = 1e9;

  /**
   * Addresses without an open flow that are remembered, so that ending flows gives no new start.
   */
  private static final int REMEMBERED = 4096;

  private final int most;
  private final int perSecond;
  private final LongSupplier nanoTime;
  private final Map<InetAddress, Source> sources = new HashMap<>();

  private static final class Source {
    int open;
    double allowance;
    long at;
  }

  FlowAdmission(int most, int perSecond, LongSupplier nanoTime) {
    this.most = most;
    this.perSecond = perSecond;
    this.nanoTime = nanoTime;
  }

  /** Counts one more flow of {@code address}; says why where it is one too many. */
  synchronized @Nullable String admit(InetAddress address) {
    long now = nanoTime.getAsLong();
    Source source = sources.get(address);
    if (source == null) {
      forgetRested(now);
      source = new Source();
      source.allowance = 2.0 * perSecond;
      source.at = now;
      sources.put(address, source);
    }
    refill(source, now);
    if (source.open >= most) {
      return "the source has " + source.open + " UDP flows already";
    }
    if (source.allowance < 1) {
      return "the source begins more than " + perSecond + " UDP flows a second";
    }
    source.allowance--;
    source.open++;
    return null;
  }

  private void refill(Source source, long now) {
    source.allowance =
        Math.min(2.0 * perSecond, source.allowance + (now - source.at) / NANOS * perSecond);
    source.at = now;
  }

  /** A flow that was admitted is over. */
  synchronized void closed(InetAddress address) {
    Source source = sources.get(address);
    if (source != null) {
      source.open--;
    }
  }

  private void forgetRested(long now) {
    if (sources.size() >= REMEMBERED) {
      sources
          .values()
          .removeIf(
              source -> {
                refill(source, now);
                return source.open == 0 && source.allowance >= 2.0 * perSecond;
              });
    }
  }
}
