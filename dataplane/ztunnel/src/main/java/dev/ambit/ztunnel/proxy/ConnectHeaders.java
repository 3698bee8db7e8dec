package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.state.MeshService;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.AsciiString;
import io.netty.util.NetUtil;
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

  /**
   * The caller is to take another way (RFC 9110, section 15.5.20): through the waypoint of what it
   * wants.
   */
  static final int MISDIRECTED = 421;

  static final int TOO_MANY = 429;
  static final int NOT_IMPLEMENTED = 501;
  static final int SERVICE_UNAVAILABLE = 503;

  /** RFC 8441. */
  static final AsciiString PROTOCOL = AsciiString.cached(":protocol");

  /** RFC 9298. */
  static final AsciiString CONNECT_UDP = AsciiString.cached("connect-udp");

  private static final AsciiString HTTPS = AsciiString.cached("https");
  private static final String UDP_PATH = "/.well-known/masque/udp/";

  /** RFC 9297, section 3.4. */
  private static final AsciiString CAPSULE_PROTOCOL = AsciiString.cached("capsule-protocol");

  private static final AsciiString TRUE = AsciiString.cached("?1");

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

  /**
   * A request for a flow of datagrams.
   *
   * @param proxy whom the request is for
   * @param target where the datagrams go, as {@code ADDRESS:PORT}
   */
  static Http2Headers udpRequest(
      String proxy,
      String target,
      String baggage,
      InetSocketAddress source,
      @Nullable MeshService service) {
    Http2Headers headers = request(proxy, baggage, source, service);
    headers.scheme(HTTPS);
    headers.path(udpPath(target));
    headers.add(PROTOCOL, CONNECT_UDP);
    headers.add(CAPSULE_PROTOCOL, TRUE);
    return headers;
  }

  /** The path of RFC 9298's default template, section 3. */
  static String udpPath(String target) {
    int colon = target.lastIndexOf(':');
    String host = target.substring(0, colon);
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1).replace(":", "%3A");
    }
    return UDP_PATH + host + "/" + target.substring(colon + 1) + "/";
  }

  /** Where a request's datagrams are to go, as {@code ADDRESS:PORT}; null where it does not say. */
  static @Nullable String udpTarget(Http2Headers request) {
    CharSequence path = request.path();
    if (path == null || !path.toString().startsWith(UDP_PATH)) {
      return null;
    }
    String[] parts = path.toString().substring(UDP_PATH.length()).split("/", -1);
    if (parts.length != 3 || parts[0].isEmpty() || parts[1].isEmpty() || !parts[2].isEmpty()) {
      return null;
    }
    String host = parts[0].replace("%3A", ":").replace("%3a", ":");
    return (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + parts[1];
  }

  /** The port of the first address that {@code forwarded} names (RFC 7239); 0 where it does not. */
  static int sourcePort(Http2Headers request) {
    CharSequence forwarded = request.get(FORWARDED);
    String text = forwarded == null ? "" : forwarded.toString();
    int begin = text.indexOf("for=\"");
    int end = begin < 0 ? -1 : text.indexOf('"', begin + 5);
    if (end < 0) {
      return 0;
    }
    int colon = text.lastIndexOf(':', end);
    String port = colon < begin ? "" : text.substring(colon + 1, end);
    if (port.isEmpty() || port.length() > 5 || !port.chars().allMatch(c -> c >= '0' && c <= '9')) {
      return 0;
    }
    int number = Integer.parseInt(port);
    return number <= 65_535 ? number : 0;
  }

  /** Reads what {@link Addresses#text} writes. */
  static InetSocketAddress address(String text) {
    int colon = text.lastIndexOf(':');
    String host = text.substring(0, colon).replace("[", "").replace("]", "");
    byte[] bytes = NetUtil.createByteArrayFromIpAddressString(host);
    if (bytes == null) {
      throw new IllegalArgumentException(text + " is no address");
    }
    return new InetSocketAddress(Addresses.of(bytes), Integer.parseInt(text.substring(colon + 1)));
  }

  static Http2Headers udpResponse(String baggage) {
    Http2Headers headers = response(OK, baggage);
    headers.add(CAPSULE_PROTOCOL, TRUE);
    return headers;
  }

  static Http2Headers response(int status, String baggage) {
    Http2Headers headers = new DefaultHttp2Headers(false, 4);
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
