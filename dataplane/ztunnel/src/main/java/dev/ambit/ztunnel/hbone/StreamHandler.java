package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;

/**
 * What happens on one stream. All calls come on the connection's event loop. After {@link #onReset}
 * there are no more.
 */
public interface StreamHandler {
  /** The peer answered a stream that we opened. */
  void onResponse(Http2Headers headers);

  /**
   * Bytes came; they are the callee's to release, and to account for with {@link
   * HboneStream#consumed}.
   */
  void onData(ByteBuf data);

  /** No more bytes come in this turn of the event loop: what was written may be flushed. */
  void onDataComplete();

  /** The peer sends no more bytes. */
  void onEnd();

  /** The stream is gone in both directions, by the peer's will or because the connection broke. */
  void onReset(Http2Error error);

  /** Bytes may be written again, after {@link HboneStream#isWritable} was false. */
  void onWritable();
}
