package dev.ambit.ztunnel.channel;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;

/**
 * Where a gRPC server is.
 *
 * @param secure whether to speak TLS
 * @param host name or address
 * @param port 1 to 65535
 * @param rootFile PEM file of the certificates that the server has to chain to
 */
public record ServerAddress(boolean secure, String host, int port, Path rootFile) {
  private static final int DEFAULT_PORT = 15012;

  /**
   * Reads {@code https://host:port}, or {@code http://host:port} for plain text.
   *
   * @throws IllegalArgumentException where {@code url} is of another form
   */
  public static ServerAddress parse(String url, Path rootFile) {
    URI uri;
    try {
      uri = new URI(url.contains("://") ? url : "https://" + url);
    } catch (URISyntaxException e) {
      throw new IllegalArgumentException("'" + url + "' is not a URL: " + e.getReason());
    }
    String scheme = uri.getScheme();
    boolean known = scheme.equals("https") || scheme.equals("http");
    if (!known || uri.getHost() == null) {
      throw new IllegalArgumentException("'" + url + "' is not of the form https://HOST:PORT");
    }
    String host = uri.getHost();
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1);
    }
    int port = uri.getPort() < 0 ? DEFAULT_PORT : uri.getPort();
    return new ServerAddress(scheme.equals("https"), host, port, rootFile);
  }

  @Override
  public String toString() {
    return (secure ? "https://" : "http://") + host + ":" + port;
  }
}
