package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.hbone.StreamHandler;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A relay's end that is a stream of a tunnel. Its peer gets credit for bytes once the other end has
 * taken them.
 */
class StreamEnd extends RelayEnd implements StreamHandler {
  private @Nullable HboneStream stream;
  private int owed;

  StreamEnd(ProxiedConnection connection) {
    super(connection);
  }

  final void attach(HboneStream newStream) {
    stream = newStream;
  }

  final HboneStream stream() {
    HboneStream attached = stream;
    if (attached == null) {
      throw new IllegalStateException("no stream yet");
    }
    return attached;
  }

  /** The tunnel that its stream is of; null where there is no stream yet. */
  final @Nullable HboneConnection tunnel() {
    HboneStream attached = stream;
    return attached == null ? null : attached.connection();
  }

  @Override
  final void write(ByteBuf data) {
    stream().write(data);
  }

  @Override
  final void flush() {
    stream().flush();
  }

  @Override
  final void end() {
    stream().end();
  }

  @Override
  final boolean isWritable() {
    return stream().isWritable();
  }

  @Override
  final void throttle(boolean otherWritable) {
    if (otherWritable) {
      resumeReading();
    }
  }

  @Override
  final void resumeReading() {
    int bytes = owed;
    if (bytes > 0) {
      owed = 0;
      stream().consumed(bytes);
    }
  }

  @Override
  final void reset() {
    if (stream != null) {
      // RFC 9113, section 8.5: an error of the TCP connection behind us.
      stream.reset(Http2Error.CONNECT_ERROR);
    }
  }

  @Override
  final boolean isFinished() {
    return stream == null || stream.isClosed() || (isInputEnded() && isOutputEnded());
  }

  @Override
  public void onResponse(Http2Headers headers) {}

  @Override
  public final void onData(ByteBuf data) {
    owed += data.readableBytes();
    onRead(data);
  }

  @Override
  public final void onDataComplete() {
    onReadComplete();
  }

  @Override
  public final void onEnd() {
    onInputEnd();
  }

  @Override
  public void onReset(Http2Error error) {
    if (error == Http2Error.NO_ERROR) {
      connection().onAbandoned(this);
    } else if (!stream().connection().channel().isActive()) {
      connection().onBroken(this, new IOException("the tunnel ended"));
    } else if (error == Http2Error.CONNECT_ERROR || error == Http2Error.CANCEL) {
      // What we send, and what Istio's ztunnel sends, where an application broke off.
      connection().onReset(this);
    } else {
      connection().onBroken(this, new IOException("the tunnel's peer reset the stream: " + error));
    }
  }

  @Override
  public final void onWritable() {
    onOutputWritable();
  }
}
