package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.traffic.model.LocalityPolicy.Distribution;
import dev.ambit.operator.waypoint.traffic.model.LocalityPolicy.RegionFailover;
import dev.ambit.protocol.workload.LoadBalancing;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;

class LocalityPolicyTest {
  private static final Place HERE = place("eu", "a", "1", "n1");
  private static final Place SUBZONE = place("eu", "a", "1", "n2");
  private static final Place ZONE = place("eu", "a", "2", "n3");
  private static final Place REGION = place("eu", "b", "1", "n4");
  private static final Place US = place("us", "a", "1", "n5");
  private static final Place ASIA = place("asia", "a", "1", "n6");
  private static final List<Place> ALL = List.of(HERE, SUBZONE, ZONE, REGION, US, ASIA);

  private static Place place(String region, String zone, String subzone, String node) {
    return new Place("", region, zone, subzone, node, Map.of());
  }

  /** The nodes of each priority. */
  private static Map<Integer, List<String>> priorities(LocalityPolicy policy, List<Place> places) {
    Map<Integer, List<String>> priorities = new TreeMap<>();
    policy
        .arrange(HERE, places, place -> place)
        .forEach(
            group ->
                priorities
                    .computeIfAbsent(group.priority(), _ -> new ArrayList<>())
                    .addAll(group.endpoints().stream().map(Place::node).toList()));
    return priorities;
  }

  @Test
  void treatsAllAlikeUnlessToldOtherwise() {
    assertThat(priorities(LocalityPolicy.ANYWHERE, ALL).keySet()).containsExactly(0);
  }

  @Test
  void triesWhatIsNearestFirst() {
    assertThat(priorities(new LocalityPolicy.Nearest(List.of()), ALL))
        .containsEntry(0, List.of("n1", "n2"))
        .containsEntry(1, List.of("n3"))
        .containsEntry(2, List.of("n4"))
        .hasEntrySatisfying(3, nodes -> assertThat(nodes).containsExactlyInAnyOrder("n5", "n6"));
  }

  @Test
  void triesTheRegionThatReplacesItsOwnBeforeOthers() {
    assertThat(
            priorities(new LocalityPolicy.Nearest(List.of(new RegionFailover("eu", "asia"))), ALL))
        .containsEntry(3, List.of("n6"))
        .containsEntry(4, List.of("n5"));
  }

  @Test
  void leavesNoGapBetweenPriorities() {
    assertThat(priorities(new LocalityPolicy.Nearest(List.of()), List.of(ZONE, US)).keySet())
        .containsExactly(0, 1);
  }

  @Test
  void countsLabelsUntilTheFirstThatDiffers() {
    Place v1 = new Place("", "us", "", "", "a", Map.of("version", "v1", "track", "x"));
    Place v2 = new Place("", "eu", "", "", "b", Map.of("version", "v2", "track", "x"));
    Place own = new Place("", "eu", "", "", "c", Map.of("version", "v1", "track", "x"));

    assertThat(
            priorities(
                new LocalityPolicy.Preferring(List.of("version=v1", Place.REGION), List.of()),
                List.of(v1, v2, own)))
        .containsEntry(0, List.of("c"))
        .containsEntry(1, List.of("a"))
        .containsEntry(2, List.of("b"));
  }

  @Test
  void putsAnotherNetworkBehindAllOfItsOwn() {
    Place farHere = place("us", "z", "", "a");
    Place nearThere = new Place("other", "eu", "a", "", "b", Map.of());
    Place farThere = new Place("other", "us", "z", "", "c", Map.of());

    assertThat(
            priorities(
                new LocalityPolicy.Preferring(
                    List.of(Place.NETWORK, Place.REGION, Place.ZONE), List.of()),
                List.of(farThere, nearThere, farHere)))
        .containsEntry(0, List.of("a"))
        .containsEntry(1, List.of("b"))
        .containsEntry(2, List.of("c"));
  }

  @Test
  void followsAServicesOwnPreference() {
    LoadBalancing zone =
        LoadBalancing.newBuilder()
            .addRoutingPreference(LoadBalancing.Scope.NETWORK)
            .addRoutingPreference(LoadBalancing.Scope.REGION)
            .addRoutingPreference(LoadBalancing.Scope.ZONE)
            .setMode(LoadBalancing.Mode.FAILOVER)
            .build();
    LoadBalancing node =
        LoadBalancing.newBuilder()
            .addRoutingPreference(LoadBalancing.Scope.NODE)
            .setMode(LoadBalancing.Mode.STRICT)
            .build();

    assertThat(priorities(LocalityPolicy.of(zone), ALL))
        .containsEntry(0, List.of("n1", "n2", "n3"))
        .containsEntry(1, List.of("n4"));
    assertThat(priorities(LocalityPolicy.of(node), ALL))
        .containsExactly(Map.entry(0, List.of("n1")));
    assertThat(LocalityPolicy.of(LoadBalancing.getDefaultInstance()))
        .isEqualTo(LocalityPolicy.ANYWHERE);
  }

  @Test
  void leavesNobodyOutForAPlaceThatItDoesNotKnow() {
    LocalityPolicy sameNode = new LocalityPolicy.Only(List.of(Place.NODE));

    assertThat(sameNode.arrange(Place.UNKNOWN, ALL, place -> place))
        .flatExtracting(EndpointGroup::endpoints)
        .hasSize(ALL.size());
  }

  @Test
  void isWhereAllOfAWaypointsPodsAre() {
    assertThat(Place.common(List.of(HERE))).isEqualTo(HERE);
    assertThat(Place.common(List.of())).isEqualTo(Place.UNKNOWN);
    assertThat(Place.common(List.of(HERE, SUBZONE))).isEqualTo(place("eu", "a", "1", ""));
    assertThat(Place.common(List.of(HERE, ZONE))).isEqualTo(place("eu", "a", "", ""));
    // Subzones of different zones are different, whatever they are called.
    assertThat(Place.common(List.of(HERE, REGION))).isEqualTo(place("eu", "", "", ""));
    assertThat(Place.common(List.of(HERE, US))).isEqualTo(Place.UNKNOWN);
    assertThat(
            Place.common(
                    List.of(
                        new Place("", "", "", "", "", Map.of("a", "1", "b", "2")),
                        new Place("", "", "", "", "", Map.of("a", "1", "b", "3"))))
                .labels())
        .isEqualTo(Map.of("a", "1"));
  }

  @Test
  void sharesByWrittenWeightsAndLeavesOutWhatIsNotNamed() {
    LocalityPolicy policy =
        new LocalityPolicy.Distributed(
            List.of(
                new Distribution("us/*", Map.of("us/*", 100L)),
                new Distribution("eu/a/*", Map.of("eu/*", 70L, "eu/b", 30L))));

    Map<String, Integer> weights = new TreeMap<>();
    policy
        .arrange(HERE, ALL, place -> place)
        .forEach(
            group ->
                weights.merge(
                    group.region() + "/" + group.zone() + "/" + group.subzone(),
                    group.weight(),
                    Integer::sum));

    // Of the 70, two thirds are for the subzone with two of the three endpoints.
    assertThat(weights)
        .containsExactlyInAnyOrderEntriesOf(Map.of("eu/a/1", 47, "eu/a/2", 24, "eu/b/1", 30));
  }

  @Test
  void usesAllWhereNothingIsWrittenForItsOwnPlace() {
    LocalityPolicy policy =
        new LocalityPolicy.Distributed(List.of(new Distribution("us/*", Map.of("us/*", 100L))));

    assertThat(priorities(policy, ALL).get(0)).hasSize(ALL.size());
  }

  @Provide
  Arbitrary<List<Place>> places() {
    return Combinators.combine(
            Arbitraries.of("eu", "us", ""), Arbitraries.of("a", "b"), Arbitraries.of("1", "2"))
        .as((region, zone, subzone) -> place(region, zone, subzone, region + zone + subzone))
        .list()
        .ofMaxSize(12);
  }

  @Property
  void loosesNoneAndLeavesNoGap(@ForAll("places") List<Place> places) {
    for (LocalityPolicy policy :
        List.of(
            LocalityPolicy.ANYWHERE,
            new LocalityPolicy.Nearest(List.of(new RegionFailover("eu", "us"))),
            new LocalityPolicy.Preferring(
                List.of(Place.REGION, Place.ZONE), List.of(new RegionFailover("eu", "us"))))) {
      List<EndpointGroup<Place>> groups = policy.arrange(HERE, places, place -> place);

      assertThat(groups.stream().flatMap(group -> group.endpoints().stream()))
          .containsExactlyInAnyOrderElementsOf(places);
      assertThat(groups.stream().map(EndpointGroup::priority).distinct().sorted())
          .containsExactlyElementsOf(
              java.util.stream.IntStream.range(
                      0, (int) groups.stream().map(EndpointGroup::priority).distinct().count())
                  .boxed()
                  .toList());
    }
  }
}
