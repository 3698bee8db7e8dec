package dev.ambit.agent.cni;

import dev.ambit.linux.SocketFile;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Answers the CNI plugin: one request and one reply a connection. */
public final class CniServer implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CniServer.class);

  private static final int THREADS = 16;

  /** A plugin that does not finish by itself is cut off. */
  private static final Duration LONGEST = Duration.ofSeconds(60);

  private final ServerSocketChannel listener;
  private final SocketFile file;
  private final Function<CniRequest, CniReply> answer;
  private final MeterRegistry metrics;
  private final ExecutorService threads =
      Executors.newFixedThreadPool(THREADS, Thread.ofPlatform().name("cni-", 0).daemon().factory());
  private final ScheduledExecutorService guard =
      Executors.newSingleThreadScheduledExecutor(
          Thread.ofPlatform().name("cni-guard").daemon().factory());

  private CniServer(
      ServerSocketChannel listener,
      SocketFile file,
      Function<CniRequest, CniReply> answer,
      MeterRegistry metrics) {
    this.listener = listener;
    this.file = file;
    this.answer = answer;
    this.metrics = metrics;
  }

  /** Listens at {@code socket}, which only its owner can connect to, until closed. */
  public static CniServer start(
      Path socket, Function<CniRequest, CniReply> answer, MeterRegistry metrics)
      throws IOException {
    var directory = socket.getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    // Bound beside and moved there, so that the plugin never meets a socket that does not answer.
    var fresh = socket.resolveSibling(socket.getFileName() + ".new");
    Files.deleteIfExists(fresh);
    var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    SocketFile file;
    try {
      listener.bind(UnixDomainSocketAddress.of(fresh), 64);
      Files.setPosixFilePermissions(fresh, PosixFilePermissions.fromString("rw-------"));
      Files.move(fresh, socket, StandardCopyOption.REPLACE_EXISTING);
      file = SocketFile.at(socket);
    } catch (IOException e) {
      listener.close();
      throw e;
    }
    var server = new CniServer(listener, file, answer, metrics);
    Thread.ofPlatform().name("cni-accept").daemon().start(server::accept);
    return server;
  }

  private void accept() {
    while (true) {
      try {
        var connection = listener.accept();
        var cutOff =
            guard.schedule(() -> close(connection), LONGEST.toMillis(), TimeUnit.MILLISECONDS);
        threads.execute(
            () -> {
              serve(connection);
              cutOff.cancel(false);
            });
      } catch (ClosedChannelException | RejectedExecutionException e) {
        return;
      } catch (IOException e) {
        LOG.atError().setCause(e).log("cannot accept the CNI plugin any more: ending");
        Runtime.getRuntime().halt(72);
      }
    }
  }

  private void serve(SocketChannel connection) {
    var sample = Timer.start(metrics);
    String result = "unreadable";
    try (connection;
        var in = new DataInputStream(new BufferedInputStream(Channels.newInputStream(connection)));
        var out =
            new DataOutputStream(new BufferedOutputStream(Channels.newOutputStream(connection)))) {
      var request = CniRequest.read(in);
      var reply = answer.apply(request);
      result = reply.success() ? "success" : "error";
      reply.write(out);
    } catch (IOException e) {
      LOG.atWarn()
          .addKeyValue("reason", e.getMessage())
          .log("a request of the CNI plugin broke off");
    } catch (RuntimeException e) {
      LOG.atError().setCause(e).log("a request of the CNI plugin failed");
    } finally {
      sample.stop(
          Timer.builder("ambit.agent.cni.requests")
              .tag("result", result)
              .description("Requests of the CNI plugin")
              .register(metrics));
    }
  }

  private static void close(SocketChannel connection) {
    try {
      connection.close();
    } catch (IOException e) {
      LOG.atDebug().setCause(e).log("closing a plugin's connection failed");
    }
  }

  @Override
  public void close() throws IOException {
    file.delete();
    listener.close();
    threads.shutdownNow();
    guard.shutdownNow();
  }
}
