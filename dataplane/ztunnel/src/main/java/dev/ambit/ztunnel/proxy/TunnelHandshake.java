package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.TlsRecords;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import java.time.Duration;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;

/** Stands between TLS and HTTP/2 until the peer is known to be who it has to be. */
final class TunnelHandshake extends ChannelInboundHandlerAdapter {
  /** Large enough to seal whole TLS records, small enough to begin sending early. */
  private static final int WRAP_SIZE = 16 << 10;

  /** Judges the peer. */
  interface Check {
    /** TLS stands; throws where the peer is not to be talked to. */
    void onHandshake(SSLSession session) throws SSLException;

    /** The handshake failed, or the peer was refused; the channel is about to be closed. */
    void onFailure(Throwable cause);
  }

  private final SslHandler tls;
  private final Check check;
  private boolean decided;

  TunnelHandshake(SslHandler tls, Check check) {
    this.tls = tls;
    this.check = check;
  }

  /** TLS of one connection. */
  static SslHandler tls(
      SslContext context, io.netty.buffer.ByteBufAllocator allocator, Duration timeout) {
    SslHandler handler = context.newHandler(allocator);
    handler.setWrapDataSize(WRAP_SIZE);
    handler.setHandshakeTimeoutMillis(timeout.toMillis());
    return handler;
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (!(event instanceof SslHandshakeCompletionEvent completion) || decided) {
      context.fireUserEventTriggered(event);
      return;
    }
    if (!completion.isSuccess()) {
      fail(context, completion.cause());
      return;
    }
    try {
      if (!ApplicationProtocolNames.HTTP_2.equals(tls.applicationProtocol())) {
        throw new SSLException(
            "the peer does not speak HTTP/2 (ALPN " + tls.applicationProtocol() + ")");
      }
      check.onHandshake(tls.engine().getSession());
      decided = true;
      context.pipeline().remove(this);
      TlsRecords.takeOverSoon(context.channel());
    } catch (SSLException e) {
      fail(context, e);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    if (!decided) {
      fail(context, new SSLException("the peer closed the connection during the TLS handshake"));
    }
    context.fireChannelInactive();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    fail(context, cause);
  }

  private void fail(ChannelHandlerContext context, Throwable cause) {
    if (!decided) {
      decided = true;
      check.onFailure(cause);
    }
    context.close();
  }
}
