package dev.ambit.operator.fleet.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.ClusterMeshEnrollmentStatus;
import dev.ambit.api.Conditions;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/** Whatever happens to a fleet's namespaces, in whatever order. */
class FleetPropertiesTest {
  private static final int STEPS = 60;

  /** Namespaces that join, succeed, fail, come back, come and go at random, for a while. */
  private static FleetWorld stir(long seed, FleetWorld world) {
    Random random = new Random(seed);
    for (int step = 0; step < STEPS; step++) {
      world.stir(random);
      world.look();
    }
    return world;
  }

  @Property(tries = 150)
  void never_more_namespaces_begin_than_may_move_at_once(@ForAll long seed) {
    FleetWorld world = FleetWorld.random(new Random(seed));
    Random random = new Random(seed + 1);
    for (int step = 0; step < STEPS; step++) {
      world.stir(random);
      int movingBefore = world.moving();
      Set<String> begun = world.look();
      if (!begun.isEmpty()) {
        assertThat(movingBefore + begun.size()).isLessThanOrEqualTo(world.maxConcurrent());
      }
    }
  }

  @Property(tries = 150)
  void no_namespace_begins_before_its_wave_or_while_too_many_have_failed_or_paused(
      @ForAll long seed) {
    FleetWorld world = FleetWorld.random(new Random(seed));
    Random random = new Random(seed + 1);
    for (int step = 0; step < STEPS; step++) {
      world.stir(random);
      boolean closed = world.failed() > world.maxFailed() || world.paused() || !world.installed();
      Set<String> begun = world.look();
      // Those that leave do so all the same.
      begun.removeIf(name -> !world.isFree(name));
      if (closed) {
        assertThat(begun).isEmpty();
      }
      int open = world.openWave();
      assertThat(begun).allSatisfy(name -> assertThat(world.waveOf(name)).isBetween(0, open));
    }
  }

  @Property(tries = 150)
  void what_is_not_the_fleets_is_never_written(@ForAll long seed) {
    FleetWorld world = FleetWorld.random(new Random(seed));
    Random random = new Random(seed + 1);
    for (int step = 0; step < STEPS; step++) {
      world.stir(random);
      Set<String> foreign = world.foreign();
      FleetPlan plan = world.plan();
      assertThat(plan.actions())
          .filteredOn(action -> action instanceof FleetAction.Apply)
          .extracting(FleetAction::namespace)
          .noneMatch(foreign::contains)
          .doesNotHaveDuplicates();
      world.look();
    }
  }

  @Property(tries = 60)
  void all_that_may_move_is_done_in_the_end_and_then_nothing_is_written(@ForAll long seed) {
    FleetWorld world = stir(seed, FleetWorld.random(new Random(seed)));
    world.becomeQuiet();
    for (int step = 0; step < 120; step++) {
      world.succeed();
      world.look();
    }
    assertThat(world.plan().actions()).isEmpty();
    ClusterMeshEnrollmentStatus status = world.status();
    assertThat(world.counts().moving() + world.counts().waiting()).isZero();
    assertThat(world.counts().leaving()).isZero();
    assertThat(world.look()).isEmpty();
    assertThat(world.status()).as("a look at the same writes no other status").isEqualTo(status);
    boolean conflict = Conditions.holds(status.conditions(), FleetStatusReport.CONFLICT);
    assertThat(Conditions.holds(status.conditions(), Conditions.READY)).isEqualTo(!conflict);
  }

  @Property(tries = 100)
  void a_fleet_that_is_deleted_leaves_no_child_behind_and_takes_no_more_at_once_than_it_may(
      @ForAll long seed) {
    FleetWorld world = stir(seed, FleetWorld.random(new Random(seed)));
    world.becomeQuiet();
    world.delete();
    for (int step = 0; step < 120 && world.children() > 0; step++) {
      int moving = world.moving();
      Set<String> begun = world.look();
      if (!begun.isEmpty()) {
        assertThat(moving + begun.size()).isLessThanOrEqualTo(world.maxConcurrent());
      }
      world.succeed();
    }
    assertThat(world.children()).isZero();
  }

  @Property(tries = 100)
  void counts_add_up(@ForAll long seed) {
    FleetWorld world = stir(seed, FleetWorld.random(new Random(seed)));
    var counts = world.counts();
    assertThat(counts.done() + counts.moving() + counts.waiting() + counts.failed() + counts.held())
        .isBetween(counts.selected(), counts.selected() + world.foreign().size());
  }

  @Property(tries = 100)
  void a_larger_share_takes_all_that_a_smaller_one_took(@ForAll long seed) {
    Random random = new Random(seed);
    var namespaces = FleetWorld.random(random).namespaces();
    int less = 1 + random.nextInt(99);
    int more = less + random.nextInt(100 - less + 1);
    assertThat(FleetWorld.taken(namespaces, more))
        .containsAll(new TreeSet<>(FleetWorld.taken(namespaces, less)));
  }
}
