package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Remembers what happened on a stream. */
final class RecordingHandler implements StreamHandler {
  final ByteArrayOutputStream received = new ByteArrayOutputStream();
  @Nullable Http2Headers response;
  @Nullable Http2Error reset;
  boolean ended;
  int completions;
  int writable;

  @Override
  public void onResponse(Http2Headers headers) {
    response = headers;
  }

  @Override
  public void onData(ByteBuf data) {
    byte[] bytes = new byte[data.readableBytes()];
    data.readBytes(bytes);
    data.release();
    received.writeBytes(bytes);
  }

  @Override
  public void onDataComplete() {
    completions++;
  }

  @Override
  public void onEnd() {
    ended = true;
  }

  @Override
  public void onReset(Http2Error error) {
    reset = error;
  }

  @Override
  public void onWritable() {
    writable++;
  }

  String text() {
    return received.toString(StandardCharsets.US_ASCII);
  }
}
