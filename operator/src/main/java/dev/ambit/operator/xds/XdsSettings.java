package dev.ambit.operator.xds;

import java.time.Duration;

/**
 * Bounds of the discovery server.
 *
 * @param responseBytes about how large one response may become; one larger resource still goes out
 *     alone
 * @param patience how long a type that awaits earlier types waits for a client that does not ask
 *     for those
 */
public record XdsSettings(int responseBytes, Duration patience) {
  /** Half of what gRPC clients accept by default. */
  public static final XdsSettings DEFAULT = new XdsSettings(2 * 1024 * 1024, Duration.ofSeconds(2));
}
