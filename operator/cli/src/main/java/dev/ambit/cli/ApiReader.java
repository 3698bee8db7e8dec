package dev.ambit.cli;

import io.fabric8.kubernetes.api.model.Status;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * Asks the API server over one connection that is kept, and does no more: the cluster's whole
 * client costs a start as much as all else that a command does.
 */
final class ApiReader {
  private static final int NOT_FOUND = 404;
  private static final int UNAUTHORIZED = 401;
  private static final int TOO_MANY_REQUESTS = 429;
  private static final int SERVER_ERROR = 500;

  private static final int CONNECT_MILLISECONDS = 15_000;
  private static final int READ_MILLISECONDS = 30_000;

  private final PlainAccess access;
  private @Nullable SSLSocketFactory sockets;

  ApiReader(PlainAccess access) {
    this.access = access;
  }

  /** What the server answered. */
  sealed interface Answer {
    /** The text at the path. */
    record Text(String text) implements Answer {}

    /** There is nothing at the path. */
    record Nothing() implements Answer {}

    /** The whole client may do better: with other credentials, or a little later. */
    record AskAgain() implements Answer {}
  }

  /**
   * Gets what is at a path, or posts a body to it.
   *
   * @throws KubernetesClientException where the server refuses or cannot be reached, as the whole
   *     client would
   */
  Answer ask(String path, @Nullable String body) {
    try {
      HttpURLConnection connection =
          (HttpURLConnection)
              URI.create(access.server() + path).toURL().openConnection(Proxy.NO_PROXY);
      SSLContext tls = access.tls();
      if (connection instanceof HttpsURLConnection secured && tls != null) {
        // The same object each time, or no connection would be used again.
        secured.setSSLSocketFactory(sockets(tls));
      }
      connection.setConnectTimeout(CONNECT_MILLISECONDS);
      connection.setReadTimeout(READ_MILLISECONDS);
      connection.setInstanceFollowRedirects(false);
      connection.setRequestProperty("Accept", "application/json, */*");
      connection.setRequestProperty("User-Agent", "ambit");
      if (access.token() != null) {
        connection.setRequestProperty("Authorization", "Bearer " + access.token());
      }
      if (body != null) {
        connection.setRequestMethod("POST");
        connection.setDoOutput(true);
        connection.setRequestProperty("Content-Type", "application/json");
        try (var out = connection.getOutputStream()) {
          out.write(body.getBytes(StandardCharsets.UTF_8));
        }
      }
      return answer(connection, path);
    } catch (IOException e) {
      throw new KubernetesClientException(access.server() + path + " cannot be read", e);
    }
  }

  private SSLSocketFactory sockets(SSLContext tls) {
    if (sockets == null) {
      sockets = tls.getSocketFactory();
    }
    return sockets;
  }

  private static Answer answer(HttpURLConnection connection, String path) throws IOException {
    int code = connection.getResponseCode();
    // Read to its end in any case, so that the connection can be used again.
    String text = text(code < 400 ? connection.getInputStream() : connection.getErrorStream());
    if (code >= 200 && code < 300) {
      return new Answer.Text(text);
    }
    if (code == NOT_FOUND) {
      return new Answer.Nothing();
    }
    if (code == UNAUTHORIZED || code == TOO_MANY_REQUESTS || code >= SERVER_ERROR) {
      return new Answer.AskAgain();
    }
    Status status = new StatusBuilder().withCode(code).withMessage(message(text, path)).build();
    throw new KubernetesClientException(status.getMessage(), code, status);
  }

  private static String text(@Nullable InputStream body) throws IOException {
    if (body == null) {
      return "";
    }
    try (body) {
      return new String(body.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  private static String message(String text, String path) {
    String said = text.startsWith("{") ? Cluster.parse(text).path("message").asText("") : text;
    return said.isBlank() ? path + " is refused" : said.strip();
  }
}
