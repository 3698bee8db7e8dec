package dev.ambit.ztunnel.netns;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/** Calls from pods whose outcome is what a test is about. */
final class Calls {
  private static final AtomicInteger MARKERS = new AtomicInteger();

  private Calls() {}

  /** A text that no other call sends. */
  static String marker() {
    return "marker-%d-%d".formatted(ProcessHandle.current().pid(), MARKERS.incrementAndGet());
  }

  /** Fails where an echo server at {@code destination} does not echo. */
  static void answered(Pod client, InetSocketAddress destination) {
    answered(client, destination, marker());
  }

  static void answered(Pod client, InetSocketAddress destination, String marker) {
    try (var connection = TcpClient.connect(client, destination)) {
      assertThat(connection.echo(marker)).isEqualTo(marker);
    } catch (IOException e) {
      throw new AssertionError(client + " gets no answer from " + destination, e);
    }
  }

  /** Fails where the first that comes from {@code destination} is not {@code greeting}. */
  static void answeredWith(Pod client, InetSocketAddress destination, String greeting) {
    try (var connection = TcpClient.connect(client, destination)) {
      assertThat(connection.receive(greeting.length())).isEqualTo(greeting);
    } catch (IOException e) {
      throw new AssertionError(client + " gets no greeting from " + destination, e);
    }
  }

  /** Waits until an echo server at {@code destination} echoes. */
  static void becomesAnswered(Pod client, InetSocketAddress destination) {
    await(client + " is answered by " + destination)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(100))
        .untilAsserted(() -> answered(client, destination));
  }

  /** Fails where the call is answered, or is left hanging. */
  static void refused(Pod client, InetSocketAddress destination) {
    refused(client, destination, marker());
  }

  static void refused(Pod client, InetSocketAddress destination, String marker) {
    try (var connection = TcpClient.connect(client, destination)) {
      connection.send(marker);
      // Not up to the end: a server that answers may well keep the connection open.
      assertThat(connection.socket().getInputStream().read())
          .as("first byte of the answer of %s to %s", destination, client)
          .isEqualTo(-1);
    } catch (SocketTimeoutException e) {
      fail("the call of %s to %s is left hanging", client, destination);
    } catch (IOException reset) {
      // This is how it should be.
    }
  }

  /** Waits until the call is refused. */
  static void becomesRefused(Pod client, InetSocketAddress destination) {
    await(client + " is refused by " + destination)
        .atMost(Patience.LONG)
        .pollInterval(Duration.ofMillis(100))
        .untilAsserted(() -> refused(client, destination));
  }
}
