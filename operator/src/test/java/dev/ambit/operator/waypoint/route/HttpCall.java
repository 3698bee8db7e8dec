package dev.ambit.operator.waypoint.route;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** One request of HTTP/1.1, just as a test has it, on a connection of its own. */
record HttpCall(String method, String path, Map<String, String> headers) {
  static HttpCall get(String path) {
    return new HttpCall("GET", path, Map.of());
  }

  HttpCall method(String method) {
    return new HttpCall(method, path, headers);
  }

  HttpCall header(String name, String value) {
    Map<String, String> all = new LinkedHashMap<>(headers);
    all.put(name, value);
    return new HttpCall(method, path, all);
  }

  /** What came back. */
  record Answer(int status, List<Map.Entry<String, String>> headers, String body) {
    Optional<String> header(String name) {
      return headers.stream()
          .filter(header -> header.getKey().equals(name))
          .map(Map.Entry::getValue)
          .findFirst();
    }

    /** What the server says that it was asked, by the name at the line's beginning. */
    List<String> asked(String name) {
      return body.lines()
          .filter(line -> line.startsWith(name + ": "))
          .map(line -> line.substring(name.length() + 2))
          .toList();
    }

    /** Which server answered. */
    String by() {
      return asked("name").isEmpty() ? "nobody: " + status : asked("name").getFirst();
    }
  }

  Answer send(int port) throws IOException {
    try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
      socket.setSoTimeout(10_000);
      StringBuilder text = new StringBuilder(method + " " + path + " HTTP/1.1\r\n");
      if (!headers.containsKey("host")) {
        text.append("host: web.shop\r\n");
      }
      headers.forEach((name, value) -> text.append(name + ": " + value + "\r\n"));
      text.append("connection: close\r\ncontent-length: 0\r\n\r\n");
      socket.getOutputStream().write(text.toString().getBytes(StandardCharsets.US_ASCII));
      return parse(new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  private static Answer parse(String text) {
    int end = text.indexOf("\r\n\r\n");
    if (end < 0) {
      throw new AssertionError("no response: " + text);
    }
    List<String> lines = text.substring(0, end).lines().toList();
    List<Map.Entry<String, String>> headers = new ArrayList<>();
    for (String line : lines.subList(1, lines.size())) {
      int colon = line.indexOf(':');
      headers.add(
          Map.entry(
              line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).trim()));
    }
    return new Answer(
        Integer.parseInt(lines.getFirst().split(" ", -1)[1]), headers, text.substring(end + 4));
  }
}
