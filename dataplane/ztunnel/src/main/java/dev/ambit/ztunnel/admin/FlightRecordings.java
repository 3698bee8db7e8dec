package dev.ambit.ztunnel.admin;

import dev.ambit.ztunnel.admin.Endpoint.Reply;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.ParseException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import jdk.jfr.Configuration;
import jdk.jfr.Recording;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Records for some seconds what the program does, and answers with the file, which JDK Mission
 * Control and {@code jfr} read. One at a time. Flight Recorder costs nothing before the first.
 */
public final class FlightRecordings implements Endpoint.Later {
  private static final Logger log = LoggerFactory.getLogger(FlightRecordings.class);
  private static final int MOST_SECONDS = 300;
  private static final int USUAL_SECONDS = 10;
  private static final long MOST_BYTES = 64 << 20;

  /** These would tell headers that are set by environment variables, and of other processes. */
  private static final List<String> LEFT_OUT =
      List.of("jdk.InitialEnvironmentVariable", "jdk.InitialSystemProperty", "jdk.SystemProcess");

  private final ScheduledExecutorService executor;
  private final AtomicBoolean recording = new AtomicBoolean();

  /**
   * @param executor whose thread may be held up for a second
   */
  public FlightRecordings(ScheduledExecutorService executor) {
    this.executor = executor;
  }

  @Override
  public CompletionStage<Reply> reply(Endpoint.Request request) {
    int seconds = seconds(request.parameter("seconds"));
    if (seconds == 0) {
      return CompletableFuture.completedFuture(
          Reply.text(400, "seconds: use a number from 1 to " + MOST_SECONDS + "\n"));
    }
    if (!recording.compareAndSet(false, true)) {
      return CompletableFuture.completedFuture(
          Reply.text(409, "a recording is under way: wait until it is over\n"));
    }
    CompletableFuture<Reply> reply = new CompletableFuture<>();
    executor.execute(() -> begin(seconds, reply));
    return reply;
  }

  private static int seconds(@Nullable String asked) {
    if (asked == null) {
      return USUAL_SECONDS;
    }
    try {
      int seconds = Integer.parseInt(asked);
      return seconds >= 1 && seconds <= MOST_SECONDS ? seconds : 0;
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  private void begin(int seconds, CompletableFuture<Reply> reply) {
    try {
      Recording begun = new Recording(Configuration.getConfiguration("profile"));
      LEFT_OUT.forEach(begun::disable);
      begun.setName("on demand");
      begun.setMaxSize(MOST_BYTES);
      begun.start();
      log.atInfo().addKeyValue("seconds", seconds).log("flight recording begins");
      var unused = executor.schedule(() -> end(begun, reply), seconds, TimeUnit.SECONDS);
    } catch (IOException | ParseException | RuntimeException e) {
      fail(e, reply);
    }
  }

  private void end(Recording begun, CompletableFuture<Reply> reply) {
    try (begun) {
      begun.stop();
      Path file = Files.createTempFile("ambit-ztunnel-", ".jfr");
      begun.dump(file);
      recording.set(false);
      reply.complete(Reply.download(file, "ztunnel.jfr"));
    } catch (IOException | RuntimeException e) {
      fail(e, reply);
    }
  }

  private void fail(Exception failure, CompletableFuture<Reply> reply) {
    recording.set(false);
    log.atWarn().setCause(failure).log("cannot record");
    reply.complete(
        Reply.text(
            500,
            "cannot record: "
                + failure.getMessage()
                + "; is the directory for temporary files writable?\n"));
  }
}
