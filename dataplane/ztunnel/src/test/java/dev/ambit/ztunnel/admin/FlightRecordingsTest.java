package dev.ambit.ztunnel.admin;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FlightRecordingsTest {
  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  private final FlightRecordings recordings = new FlightRecordings(executor);

  @AfterEach
  void stop() {
    executor.shutdownNow();
  }

  private CompletionStage<Endpoint.Reply> ask(String seconds) {
    return recordings.reply(new Endpoint.Request(Map.of("seconds", List.of(seconds)), List.of()));
  }

  private static Endpoint.Reply get(CompletionStage<Endpoint.Reply> reply) throws Exception {
    return reply.toCompletableFuture().get(90, TimeUnit.SECONDS);
  }

  @Test
  void oneAtATimeAndTheFileTellsNoSecrets() throws Exception {
    CompletionStage<Endpoint.Reply> first = ask("1");
    assertThat(get(ask("1")).status()).isEqualTo(409);
    Endpoint.Reply reply = get(first);
    assertThat(reply.status()).isEqualTo(200);
    assertThat(reply.body()).isInstanceOf(Endpoint.Body.File.class);
    Path file = ((Endpoint.Body.File) reply.body()).path();
    try {
      var events = RecordingFile.readAllEvents(file);
      assertThat(events).isNotEmpty();
      assertThat(events)
          .extracting(event -> event.getEventType().getName())
          .doesNotContain("jdk.InitialEnvironmentVariable", "jdk.SystemProcess");
    } finally {
      Files.delete(file);
    }
    Endpoint.Reply second = get(ask("1"));
    assertThat(second.status()).isEqualTo(200);
    Files.delete(((Endpoint.Body.File) second.body()).path());
  }

  @Test
  void onlyForASensibleTime() throws Exception {
    for (String seconds : List.of("0", "301", "-1", "x", "99999999999")) {
      assertThat(get(ask(seconds)).status()).as(seconds).isEqualTo(400);
    }
  }

  @Test
  void theHeapIsSummedUp() {
    assertThat(HeapSummary.write())
        .startsWith("heap: ")
        .contains("threads: ", "#instances", "java.lang.String");
  }
}
