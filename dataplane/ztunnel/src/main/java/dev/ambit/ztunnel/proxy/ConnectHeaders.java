package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.state.MeshService;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import java.net.InetSocketAddress;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/** The headers of HBONE's CONNECT and of its answers. */
final class ConnectHeaders {
  static final AsciiString CONNECT = AsciiString.cached("CONNECT");
  static final int OK = 200;
  static final int BAD_REQUEST = 400;
  static final int UNAUTHORIZED = 401;
  static final int SERVICE_UNAVAILABLE = 503;

  private static final AsciiString BAGGAGE = AsciiString.cached("baggage");
  private static final AsciiString FORWARDED = AsciiString.cached("forwarded");
  private static final AsciiString TRACEPARENT = AsciiString.cached("traceparent");

  private ConnectHeaders() {}

  static Http2Headers request(
      String authority, String baggage, InetSocketAddress source, @Nullable MeshService service) {
    Http2Headers headers = new DefaultHttp2Headers(false, 8);
    headers.method(CONNECT);
    headers.authority(authority);
    if (!baggage.isEmpty()) {
      headers.add(BAGGAGE, baggage);
    }
    String forwarded = "for=\"" + Addresses.text(source) + "\"";
    headers.add(FORWARDED, service == null ? forwarded : forwarded + ";host=" + service.hostname());
    headers.add(TRACEPARENT, traceparent());
    return headers;
  }

  static Http2Headers response(int status, String baggage) {
    Http2Headers headers = new DefaultHttp2Headers(false, 2);
    headers.status(Integer.toString(status));
    if (!baggage.isEmpty()) {
      headers.add(BAGGAGE, baggage);
    }
    return headers;
  }

  /** A trace of its own for each connection, not sampled. */
  private static String traceparent() {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    HexFormat hex = HexFormat.of();
    return "00-"
        + hex.toHexDigits(random.nextLong())
        + hex.toHexDigits(random.nextLong() | 1)
        + "-"
        + hex.toHexDigits(random.nextLong() | 1)
        + "-00";
  }
}
