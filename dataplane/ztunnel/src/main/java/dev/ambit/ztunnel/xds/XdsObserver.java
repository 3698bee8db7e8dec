package dev.ambit.ztunnel.xds;

/** Counts what happens on the stream to the control plane. */
public interface XdsObserver {
  /** Why a stream ended. */
  enum Termination {
    /** It could not be opened. */
    CONNECTION_ERROR,
    /** It broke, or the server refused it. */
    ERROR,
    /** The server ended it in good order. */
    COMPLETE
  }

  /** The stream has ended; another follows. */
  void terminated(Termination reason);

  /** A response has arrived. */
  void received(String typeUrl, int bytes);

  /** A resource was rejected. */
  void rejected(String typeUrl);
}
