package dev.ambit.ztunnel.hbone;

import io.netty.handler.codec.http2.Http2Headers;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Remembers what happened on a connection. */
final class RecordingListener implements HboneListener {
  final List<HboneStream> streams = new ArrayList<>();
  final List<RecordingHandler> handlers = new ArrayList<>();
  final List<Http2Headers> requests = new ArrayList<>();
  boolean closed;
  @Nullable Throwable cause;

  @Override
  public void onRequest(HboneStream stream, Http2Headers headers) {
    RecordingHandler handler = new RecordingHandler();
    stream.handler(handler);
    streams.add(stream);
    handlers.add(handler);
    requests.add(headers);
  }

  @Override
  public void onCapacityChange() {}

  @Override
  public void onClosed(@Nullable Throwable why) {
    closed = true;
    cause = why;
  }
}
