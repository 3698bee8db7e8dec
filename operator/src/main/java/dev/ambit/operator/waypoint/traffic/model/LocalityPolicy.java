package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.protocol.workload.LoadBalancing;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.function.Function;

/** In which order, or in which proportion, endpoints are used by where they are. */
public sealed interface LocalityPolicy {
  /** The same everywhere. */
  LocalityPolicy ANYWHERE = new Anywhere();

  /** Wherever they are, they are equal. */
  record Anywhere() implements LocalityPolicy {}

  /** Only those that share all of these labels with the waypoint, as far as it has them. */
  record Only(List<String> labels) implements LocalityPolicy {
    /** Copies the labels. */
    public Only {
      labels = List.copyOf(labels);
    }
  }

  /**
   * Those that share most of the leading labels with the waypoint come first.
   *
   * @param labels by name, or "name=value" for a value that is not the waypoint's own
   * @param failovers used among those that are equal by the labels
   */
  record Preferring(List<String> labels, List<RegionFailover> failovers) implements LocalityPolicy {
    /** Copies both. */
    public Preferring {
      labels = List.copyOf(labels);
      failovers = List.copyOf(failovers);
    }
  }

  /** Those of the same subzone, then of the zone, then of the region, then others. */
  record Nearest(List<RegionFailover> failovers) implements LocalityPolicy {
    /** Copies them. */
    public Nearest {
      failovers = List.copyOf(failovers);
    }
  }

  /** Localities get the shares that are written for the waypoint's own. */
  record Distributed(List<Distribution> distributions) implements LocalityPolicy {
    /** Copies them. */
    public Distributed {
      distributions = List.copyOf(distributions);
    }
  }

  /** Of all other regions the one that is used for that one first. */
  record RegionFailover(String from, String to) {}

  /** The shares of localities for requests from one; both as "region/zone/subzone" patterns. */
  record Distribution(String from, Map<String, Long> to) {
    /** Copies the shares. */
    public Distribution {
      to = Map.copyOf(to);
    }
  }

  /** What a service's own traffic distribution asks for, where no DestinationRule does. */
  static LocalityPolicy of(LoadBalancing balancing) {
    List<String> labels =
        balancing.getRoutingPreferenceList().stream()
            .flatMap(
                scope ->
                    switch (scope) {
                      case NETWORK -> java.util.stream.Stream.of(Place.NETWORK);
                      case REGION -> java.util.stream.Stream.of(Place.REGION);
                      case ZONE -> java.util.stream.Stream.of(Place.ZONE);
                      case SUBZONE -> java.util.stream.Stream.of(Place.SUBZONE);
                      case NODE -> java.util.stream.Stream.of(Place.NODE);
                      // All endpoints are of this cluster.
                      case CLUSTER, UNSPECIFIED_SCOPE, UNRECOGNIZED ->
                          java.util.stream.Stream.<String>empty();
                    })
            .toList();
    return switch (balancing.getMode()) {
      case STRICT -> new Only(labels);
      case FAILOVER -> new Preferring(labels, List.of());
      case PASSTHROUGH, UNSPECIFIED_MODE, UNRECOGNIZED -> ANYWHERE;
    };
  }

  /** Groups endpoints for a waypoint; those that it is not to use are in no group. */
  default <E> List<EndpointGroup<E>> arrange(
      Place waypoint, List<E> endpoints, Function<E, Place> placeOf) {
    record Key(int priority, String region, String zone, String subzone) {}
    Map<Key, List<E>> groups = new LinkedHashMap<>();
    for (E endpoint : endpoints) {
      Place place = placeOf.apply(endpoint);
      OptionalInt priority = priority(waypoint, place);
      if (priority.isPresent()) {
        groups
            .computeIfAbsent(
                new Key(priority.getAsInt(), place.region(), place.zone(), place.subzone()),
                _ -> new ArrayList<>())
            .add(endpoint);
      }
    }
    // Envoy wants priorities without gaps.
    TreeMap<Integer, Integer> ranks = new TreeMap<>();
    groups.keySet().forEach(key -> ranks.put(key.priority(), 0));
    int rank = 0;
    for (Map.Entry<Integer, Integer> entry : ranks.entrySet()) {
      entry.setValue(rank++);
    }
    List<EndpointGroup<E>> arranged = new ArrayList<>();
    groups.forEach(
        (key, members) ->
            arranged.add(
                new EndpointGroup<>(
                    ranks.getOrDefault(key.priority(), 0),
                    key.region(),
                    key.zone(),
                    key.subzone(),
                    members.size(),
                    members)));
    arranged.sort(
        Comparator.comparingInt((EndpointGroup<E> group) -> group.priority())
            .thenComparing(EndpointGroup::region)
            .thenComparing(EndpointGroup::zone)
            .thenComparing(EndpointGroup::subzone));
    return switch (this) {
      case Distributed distributed -> weighted(distributed, waypoint, arranged);
      case Anywhere _, Only _, Preferring _, Nearest _ -> List.copyOf(arranged);
    };
  }

  /** Smaller is earlier; empty for never. */
  private OptionalInt priority(Place waypoint, Place endpoint) {
    return switch (this) {
      case Anywhere _, Distributed _ -> OptionalInt.of(0);
      case Only(List<String> labels) ->
          labels.stream()
                  .filter(label -> !waypoint.label(label).isEmpty())
                  .allMatch(label -> waypoint.label(label).equals(endpoint.label(label)))
              ? OptionalInt.of(0)
              : OptionalInt.empty();
      case Nearest(List<RegionFailover> failovers) ->
          OptionalInt.of(distance(failovers, waypoint, endpoint));
      case Preferring(List<String> labels, List<RegionFailover> failovers) -> {
        int byLabels = unmatched(labels, waypoint, endpoint);
        yield OptionalInt.of(
            failovers.isEmpty()
                ? byLabels
                : byLabels * 5 + distance(failovers, waypoint, endpoint));
      }
    };
  }

  /**
   * How many labels are left when the first one differs. Another network is behind everything on
   * the own one, yet the labels after it still count.
   */
  private static int unmatched(List<String> labels, Place waypoint, Place endpoint) {
    int behind = 0;
    for (int i = 0; i < labels.size(); i++) {
      String label = labels.get(i);
      int equals = label.indexOf('=');
      String name = equals < 0 ? label : label.substring(0, equals);
      String wanted = equals < 0 ? waypoint.label(name) : label.substring(equals + 1);
      if (wanted.equals(endpoint.label(name))) {
        continue;
      }
      if (i == 0 && name.equals(Place.NETWORK)) {
        behind = labels.size();
        continue;
      }
      return behind + labels.size() - i;
    }
    return behind;
  }

  private static int distance(List<RegionFailover> failovers, Place waypoint, Place endpoint) {
    if (waypoint.region().equals(endpoint.region())) {
      if (!waypoint.zone().equals(endpoint.zone())) {
        return 2;
      }
      return waypoint.subzone().equals(endpoint.subzone()) ? 0 : 1;
    }
    return failovers.stream()
        .filter(failover -> failover.from().equals(waypoint.region()))
        .findFirst()
        .map(failover -> failover.to().equals(endpoint.region()) ? 3 : 4)
        .orElse(3);
  }

  private static <E> List<EndpointGroup<E>> weighted(
      Distributed distributed, Place waypoint, List<EndpointGroup<E>> groups) {
    Distribution own =
        distributed.distributions().stream()
            .filter(distribution -> waypoint.fits(distribution.from()))
            .findFirst()
            .orElse(null);
    if (own == null) {
      return List.copyOf(groups);
    }
    List<EndpointGroup<E>> left = new ArrayList<>(groups);
    List<EndpointGroup<E>> weighted = new ArrayList<>();
    // The most specific pattern takes a locality, whatever order they are written in.
    List<Map.Entry<String, Long>> patterns = new ArrayList<>(own.to().entrySet());
    patterns.sort(
        Comparator.comparingLong(
                (Map.Entry<String, Long> entry) ->
                    -entry.getKey().chars().filter(c -> c == '/').count())
            .thenComparing(entry -> entry.getKey().endsWith("*"))
            .thenComparing(Map.Entry::getKey));
    for (Map.Entry<String, Long> pattern : patterns) {
      List<EndpointGroup<E>> taken =
          left.stream()
              .filter(
                  group ->
                      new Place("", group.region(), group.zone(), group.subzone(), "", Map.of())
                          .fits(pattern.getKey()))
              .toList();
      left.removeAll(taken);
      int total = taken.stream().mapToInt(group -> group.endpoints().size()).sum();
      for (EndpointGroup<E> group : taken) {
        long share =
            Math.ceilDiv(pattern.getValue() * group.endpoints().size(), (long) Math.max(total, 1));
        if (share > 0) {
          weighted.add(
              new EndpointGroup<>(
                  0,
                  group.region(),
                  group.zone(),
                  group.subzone(),
                  Math.toIntExact(Math.min(share, 1_000_000)),
                  group.endpoints()));
        }
      }
    }
    weighted.sort(
        Comparator.comparing((EndpointGroup<E> group) -> group.region())
            .thenComparing(EndpointGroup::zone)
            .thenComparing(EndpointGroup::subzone));
    return List.copyOf(weighted);
  }
}
