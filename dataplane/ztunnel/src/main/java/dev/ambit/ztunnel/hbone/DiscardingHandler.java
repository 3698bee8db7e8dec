package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;

/** For a stream that was answered without anyone to take its bytes. */
final class DiscardingHandler implements StreamHandler {
  static final DiscardingHandler INSTANCE = new DiscardingHandler();

  private DiscardingHandler() {}

  @Override
  public void onResponse(Http2Headers headers) {}

  @Override
  public void onData(ByteBuf data) {
    data.release();
  }

  @Override
  public void onDataComplete() {}

  @Override
  public void onEnd() {}

  @Override
  public void onReset(Http2Error error) {}

  @Override
  public void onWritable() {}
}
