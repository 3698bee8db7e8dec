package dev.ambit.agent.zds;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.SeqPacketSocket;
import dev.ambit.protocol.zds.Ack;
import dev.ambit.protocol.zds.Version;
import dev.ambit.protocol.zds.WorkloadResponse;
import dev.ambit.protocol.zds.ZdsHello;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A ztunnel that sends what is no message loses its connection, with a reason. */
class ZdsFuzzTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  @TempDir Path folder;

  @Test
  void anyMessages() throws Exception {
    var random = new Random(5);
    var file = Files.createFile(folder.resolve("any"));
    try (var listener = SeqPacketSocket.Listener.bind(folder.resolve("z.sock"))) {
      for (int i = 0; i < 150; i++) {
        try (var ztunnel = SeqPacketSocket.connect(folder.resolve("z.sock"))) {
          var ended = new CompletableFuture<String>();
          new ZdsConnection(
                  listener.accept(), PATIENCE, greeted -> {}, (gone, why) -> ended.complete(why))
              .start();
          send(ztunnel, random, file);
          ztunnel.close();
          assertThat(ended.get(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isNotEmpty();
        }
      }
    }
  }

  private static void send(SeqPacketSocket ztunnel, Random random, Path file) throws IOException {
    try {
      for (int i = random.nextInt(4); i >= 0; i--) {
        byte[] bytes =
            switch (random.nextInt(3)) {
              case 0 -> ZdsHello.newBuilder().setVersion(Version.V1).build().toByteArray();
              case 1 ->
                  WorkloadResponse.newBuilder()
                      .setAck(Ack.newBuilder().setError("no"))
                      .build()
                      .toByteArray();
              default -> {
                byte[] any = new byte[1 + random.nextInt(2000)];
                random.nextBytes(any);
                yield any;
              }
            };
        if (random.nextInt(4) == 0) {
          try (var descriptor = NetworkNamespace.open(file.toString())) {
            ztunnel.send(bytes, descriptor.fd());
          }
        } else {
          ztunnel.send(bytes);
        }
      }
    } catch (IOException gone) {
      // The agent had had enough already.
    }
  }
}
