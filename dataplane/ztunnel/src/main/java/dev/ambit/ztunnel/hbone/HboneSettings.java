package dev.ambit.ztunnel.hbone;

import java.time.Duration;

/**
 * What one end of an HBONE connection grants its peer.
 *
 * @param streamWindow bytes that a stream may have under way to us
 * @param connectionWindow bytes that all streams together may; larger than a stream's, so that one
 *     stalled stream cannot stop the others
 * @param maxFrameSize largest frame that we take
 * @param maxConcurrentStreams streams that the peer may have open; 0 for a client
 * @param maxHeaderListSize bytes of a decoded header list
 * @param extendedConnect whether the peer may ask for other protocols than TCP (RFC 8441); nothing
 *     to say for a client
 * @param keepAliveInterval time between two PINGs
 * @param keepAliveTimeout silence after a PING that ends the connection
 * @param settingsTimeout within which the peer's preface and SETTINGS have to arrive
 * @param lingerTimeout how long the side that has finished waits for its peer to close
 */
public record HboneSettings(
    int streamWindow,
    int connectionWindow,
    int maxFrameSize,
    int maxConcurrentStreams,
    int maxHeaderListSize,
    boolean extendedConnect,
    Duration keepAliveInterval,
    Duration keepAliveTimeout,
    Duration settingsTimeout,
    Duration lingerTimeout) {
  private static final int KIBI = 1 << 10;
  private static final int MEBI = 1 << 20;

  public HboneSettings {
    if (streamWindow < Frames.DEFAULT_WINDOW || connectionWindow < streamWindow) {
      throw new IllegalArgumentException(
          "HTTP/2 windows of "
              + streamWindow
              + " and "
              + connectionWindow
              + " bytes are too small");
    }
    if (maxFrameSize < Frames.DEFAULT_MAX_FRAME || maxFrameSize > Frames.LARGEST_MAX_FRAME) {
      throw new IllegalArgumentException(
          "an HTTP/2 frame size of " + maxFrameSize + " bytes is out of range");
    }
  }

  /** The same, with or without other protocols than TCP. */
  public HboneSettings withExtendedConnect(boolean enabled) {
    return new HboneSettings(
        streamWindow,
        connectionWindow,
        maxFrameSize,
        maxConcurrentStreams,
        maxHeaderListSize,
        enabled,
        keepAliveInterval,
        keepAliveTimeout,
        settingsTimeout,
        lingerTimeout);
  }

  /** For the side that opens streams. */
  public static HboneSettings client() {
    return of(0, 16 * KIBI);
  }

  /** For the side that answers them. */
  public static HboneSettings server() {
    return of(200, 64 * KIBI);
  }

  private static HboneSettings of(int maxConcurrentStreams, int maxHeaderListSize) {
    return new HboneSettings(
        2 * MEBI,
        16 * MEBI,
        MEBI,
        maxConcurrentStreams,
        maxHeaderListSize,
        false,
        Duration.ofSeconds(10),
        Duration.ofSeconds(20),
        Duration.ofSeconds(10),
        Duration.ofSeconds(1));
  }
}
