package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RevocationWatchTest {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  private final RevocationFixture fixture = new RevocationFixture();
  private final ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
  @TempDir Path folder;

  @AfterEach
  void stop() {
    executor.shutdownNow();
  }

  private RevocationWatch watch(Path path) {
    RevocationWatch watch = new RevocationWatch(path, executor, Clock.systemUTC());
    watch.start();
    return watch;
  }

  private static void awaitLists(RevocationWatch watch, int count) {
    await().atMost(PATIENCE).until(() -> watch.revocations().current().size() == count);
  }

  @Test
  void aFileMayComeChangeAndGo() throws IOException {
    Path file = folder.resolve("crl.pem");
    RevocationWatch watch = watch(file);
    AtomicInteger changes = new AtomicInteger();
    watch.revocations().onChange(changes::incrementAndGet);
    await().atMost(PATIENCE).until(() -> watch.loaded().toCompletableFuture().isDone());
    assertThat(watch.revocations().current().size()).isZero();
    Files.writeString(file, RevocationFixture.pem(fixture.list()));
    awaitLists(watch, 1);
    assertThat(watch.revocations().current().revocation(fixture.chain(), fixture.roots()))
        .isNotNull();
    Files.writeString(
        file,
        RevocationFixture.pem(fixture.list()) + RevocationFixture.pem(fixture.ofIntermediate(3)));
    awaitLists(watch, 2);
    Files.delete(file);
    awaitLists(watch, 0);
    assertThat(changes).hasValueGreaterThanOrEqualTo(3);
  }

  @Test
  void filesOfAFolderAreReadEachForItself() throws Exception {
    Path good = Files.writeString(folder.resolve("a"), RevocationFixture.pem(fixture.list()));
    Path other = Files.write(folder.resolve("b"), fixture.ofIntermediate(3).getEncoded());
    Files.writeString(folder.resolve(".hidden"), "nonsense");
    RevocationWatch watch = watch(folder);
    awaitLists(watch, 2);
    assertThat(watch.loaded().toCompletableFuture()).isDone();

    Files.writeString(other, "nonsense");
    await().atMost(PATIENCE).until(() -> watch.failures() == 1);
    awaitLists(watch, 2);
    Files.delete(good);
    awaitLists(watch, 1);
    Files.delete(other);
    awaitLists(watch, 0);
  }

  @Test
  void beforeEveryFileWasReadItIsNotLoaded() throws IOException {
    Path file = Files.writeString(folder.resolve("crl.pem"), "nonsense");
    RevocationWatch watch = watch(file);
    await().atMost(PATIENCE).until(() -> watch.failures() == 1);
    assertThat(watch.loaded().toCompletableFuture()).isNotDone();
    Files.writeString(file, RevocationFixture.pem(fixture.list()));
    await().atMost(PATIENCE).until(() -> watch.loaded().toCompletableFuture().isDone());
  }

  @Test
  void aSwapBehindSymbolicLinksIsNoticed() throws IOException {
    Path one = Files.createDirectory(folder.resolve("..1"));
    Files.writeString(one.resolve("crl"), RevocationFixture.pem(fixture.list()));
    Path two = Files.createDirectory(folder.resolve("..2"));
    Files.writeString(two.resolve("crl"), "");
    Files.createSymbolicLink(folder.resolve("..data"), one.getFileName());
    Files.createSymbolicLink(folder.resolve("crl"), Path.of("..data", "crl"));
    RevocationWatch watch = watch(folder.resolve("crl"));
    awaitLists(watch, 1);
    Files.createSymbolicLink(folder.resolve("..next"), two.getFileName());
    Files.move(
        folder.resolve("..next"),
        folder.resolve("..data"),
        java.nio.file.StandardCopyOption.ATOMIC_MOVE);
    awaitLists(watch, 0);
  }
}
