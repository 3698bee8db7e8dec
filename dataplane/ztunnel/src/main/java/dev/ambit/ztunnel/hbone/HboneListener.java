package dev.ambit.ztunnel.hbone;

import io.netty.handler.codec.http2.Http2Headers;
import org.jspecify.annotations.Nullable;

/** What happens on a connection as a whole. All calls come on its event loop. */
public interface HboneListener {
  /**
   * The peer opened a stream. The callee sets its handler with {@link HboneStream#handler} before
   * it returns, and answers with {@link HboneStream#respond} when it likes.
   */
  void onRequest(HboneStream stream, Http2Headers headers);

  /**
   * More streams, or fewer, may be opened than before: the peer's SETTINGS or GOAWAY arrived, or a
   * stream ended. See {@link HboneConnection#canOpen} and {@link HboneConnection#isEnding}.
   */
  void onCapacityChange();

  /**
   * The connection is closed, and every stream's handler was told.
   *
   * @param cause why, where it did not end as intended
   */
  void onClosed(@Nullable Throwable cause);
}
