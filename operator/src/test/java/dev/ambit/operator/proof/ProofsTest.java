package dev.ambit.operator.proof;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.operator.enrollment.model.Proof;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class ProofsTest {
  private static final Duration SOON = Duration.ofSeconds(60);

  private final Map<String, Proof> outcomes = new ConcurrentHashMap<>();
  private final Map<String, AtomicInteger> tried = new ConcurrentHashMap<>();
  private volatile boolean able = true;
  private final List<String> told = new CopyOnWriteArrayList<>();
  private final Proofs proofs =
      new Proofs(
          target -> {
            tried.computeIfAbsent(target.uid(), any -> new AtomicInteger()).incrementAndGet();
            return outcomes.getOrDefault(target.uid(), Proof.HOLDS);
          },
          () -> able,
          new SimpleMeterRegistry());

  @AfterEach
  void close() {
    proofs.close();
  }

  private static Proofs.Target target(String namespace, String uid) {
    return new Proofs.Target(uid, namespace, "10.0.0.1", "spiffe://cluster.local/ns/a/sa/b", false);
  }

  @Test
  void podsAreTriedAndTheirNamespaceIsTold() {
    proofs.onChange(told::add);
    assertThat(proofs.isSettled("shop")).isTrue();
    proofs.targets("bank", List.of(target("bank", "c")), false);
    assertThat(proofs.isSettled("bank")).isFalse();
    proofs.targets("shop", List.of(target("shop", "a"), target("shop", "b")), false);
    await().atMost(SOON).until(() -> proofs.of("shop").size() == 2);
    assertThat(proofs.of("shop")).isEqualTo(Map.of("a", Proof.HOLDS, "b", Proof.HOLDS));
    await().atMost(SOON).until(() -> told.contains("shop"));
    await().atMost(SOON).until(() -> proofs.isSettled("bank"));
  }

  @Test
  void oneFailureIsNotBelievedAndTheSecondIs() {
    outcomes.put("a", Proof.failed("closed"));
    proofs.targets("shop", List.of(target("shop", "a")), false);
    await().atMost(SOON).until(() -> proofs.of("shop").containsKey("a"));
    assertThat(proofs.of("shop").get("a")).isEqualTo(Proof.failed("closed"));
    assertThat(tried.getOrDefault("a", new AtomicInteger()).get()).isGreaterThanOrEqualTo(2);
    outcomes.remove("a");
    await().atMost(SOON).until(() -> Proof.HOLDS.equals(proofs.of("shop").get("a")));
  }

  @Test
  void nothingIsTriedAndNothingFailsWhileTheOperatorCannot() {
    able = false;
    proofs.targets("shop", List.of(target("shop", "a")), false);
    proofs.targets("shop", List.of(target("shop", "a")), false);
    await()
        .during(Duration.ofSeconds(3))
        .atMost(SOON)
        .until(() -> tried.isEmpty() && !proofs.isSettled("shop"));
    able = true;
    await().atMost(SOON).until(() -> Proof.HOLDS.equals(proofs.of("shop").get("a")));
  }

  @Test
  void whatAnEarlierLeaderHasProvenIsToFailForLonger() {
    outcomes.put("a", Proof.failed("closed"));
    proofs.targets("shop", List.of(target("shop", "a"), target("shop", "b")), true);
    await().atMost(SOON).until(() -> proofs.isSettled("shop"));
    assertThat(proofs.of("shop").get("a")).isEqualTo(Proof.failed("closed"));
    assertThat(tried.getOrDefault("a", new AtomicInteger()).get()).isGreaterThanOrEqualTo(5);
    // One that comes later is judged as ever.
    outcomes.put("c", Proof.failed("closed"));
    proofs.targets(
        "shop", List.of(target("shop", "a"), target("shop", "b"), target("shop", "c")), true);
    await().atMost(SOON).until(() -> proofs.of("shop").containsKey("c"));
    assertThat(tried.getOrDefault("c", new AtomicInteger()).get()).isBetween(2, 3);
  }

  @Test
  void whatIsLostIsNoticedWithinAMinute() {
    proofs.targets("shop", List.of(target("shop", "a")), false);
    await().atMost(SOON).until(() -> Proof.HOLDS.equals(proofs.of("shop").get("a")));
    outcomes.put("a", Proof.failed("closed"));
    await().atMost(SOON).until(() -> Proof.failed("closed").equals(proofs.of("shop").get("a")));
  }

  @Test
  void aPodThatIsGoneOrIsAnotherIsForgotten() {
    proofs.targets("shop", List.of(target("shop", "a"), target("shop", "b")), false);
    await().atMost(SOON).until(() -> proofs.of("shop").size() == 2);
    proofs.targets("shop", List.of(target("shop", "b")), false);
    assertThat(proofs.of("shop")).containsOnlyKeys("b");
    // The same pod at another address.
    outcomes.put("b", Proof.failed("closed"));
    proofs.targets(
        "shop", List.of(new Proofs.Target("b", "shop", "10.0.0.2", "spiffe://x/y", false)), false);
    await().atMost(SOON).until(() -> Proof.failed("closed").equals(proofs.of("shop").get("b")));
  }

  @Test
  void aWaypointIsAskedAtOnceWhetherItKnowsItsNamespaceAndWhatItSaidBeforeIsForgotten() {
    var waypoint =
        new Proofs.Target("w", "shop", "10.0.0.3", "spiffe://cluster.local/ns/shop/sa/w", true);
    proofs.targets("shop", List.of(waypoint, target("shop", "a")), false);
    await().atMost(SOON).until(() -> proofs.of("shop").size() == 2);
    assertThat(proofs.of("shop").get("w")).isEqualTo(Proof.HOLDS);
    outcomes.put("w", Proof.KNOWS_NAMESPACE);
    // Well before it would be asked again by itself.
    await()
        .atMost(Duration.ofSeconds(15))
        .until(
            () -> {
              proofs.askWaypoints("shop", false);
              return Proof.KNOWS_NAMESPACE.equals(proofs.of("shop").get("w"));
            });
    outcomes.put("w", Proof.HOLDS);
    proofs.askWaypoints("shop", false);
    assertThat(proofs.of("shop").get("w")).isEqualTo(Proof.KNOWS_NAMESPACE);
    proofs.askWaypoints("shop", true);
    assertThat(proofs.of("shop").get("w")).isEqualTo(Proof.HOLDS);
    assertThat(tried.getOrDefault("a", new AtomicInteger()).get()).isEqualTo(1);
  }
}
