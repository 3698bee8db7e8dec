package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.LocalPortForward;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;

/** Asks as {@code kubectl port-forward} would. */
final class ForwardedAdminPort implements AdminPort {
  private static final int CONNECT_MILLISECONDS = 10_000;
  private static final int READ_MILLISECONDS = 60_000;

  @Override
  public String get(KubernetesClient client, String namespace, String pod, int port, String path)
      throws IOException {
    try (LocalPortForward forward =
        client.pods().inNamespace(namespace).withName(pod).portForward(port)) {
      HttpURLConnection connection =
          (HttpURLConnection)
              URI.create("http://127.0.0.1:" + forward.getLocalPort() + path)
                  .toURL()
                  .openConnection(java.net.Proxy.NO_PROXY);
      connection.setConnectTimeout(CONNECT_MILLISECONDS);
      connection.setReadTimeout(READ_MILLISECONDS);
      try {
        if (connection.getResponseCode() != HttpURLConnection.HTTP_OK) {
          throw new IOException(path + " answers " + connection.getResponseCode());
        }
        try (InputStream body = connection.getInputStream()) {
          return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        }
      } catch (IOException e) {
        for (Throwable refused : forward.getServerThrowables()) {
          throw new IOException("port-forward to " + pod + " fails: " + Failures.cause(refused), e);
        }
        for (Throwable refused : forward.getClientThrowables()) {
          throw new IOException("port-forward to " + pod + " fails: " + Failures.cause(refused), e);
        }
        throw e;
      } finally {
        connection.disconnect();
      }
    } catch (KubernetesClientException e) {
      throw new IOException(Failures.of(e).getMessage(), e);
    }
  }
}
