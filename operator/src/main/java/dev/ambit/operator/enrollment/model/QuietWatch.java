package dev.ambit.operator.enrollment.model;

import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.PlaintextSender;
import dev.ambit.operator.enrollment.model.PlaintextReport.Watched;
import dev.ambit.operator.model.Names;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodCondition;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Whether plaintext has stopped to arrive at a namespace's pods. What nobody has seen counts as
 * plaintext: a pod that was captured while it ran, a ztunnel that ended with pods in its care.
 *
 * @param status what to remember
 * @param gaps what is not known now, for a person; while there is any, nothing is claimed
 * @param quiet since when no plaintext can have arrived
 * @param until for how long that has been seen to hold; null where nobody has looked
 */
record QuietWatch(MtlsStatus status, List<String> gaps, Instant quiet, @Nullable Instant until) {
  static final int MOST_SENDERS = 10;

  /** A plain flow of UDP is seen again within five minutes, and not with each datagram. */
  static final Duration LEAST_WITH_UDP = Duration.ofMinutes(10);

  /** What changes all the time is written no more often. */
  private static final Duration WRITTEN_EVERY = Duration.ofMinutes(1);

  /** Kubelets tell times in whole seconds. */
  private static final Duration KUBELET_TICK = Duration.ofSeconds(1);

  private static final String NETWORK_READY = "PodReadyToStartContainers";

  QuietWatch {
    gaps = List.copyOf(gaps);
  }

  /** For how long it has to be quiet. */
  static Duration needed(MeshEnrollmentSpec spec, boolean udp) {
    Duration asked = spec.effectiveQuietFor();
    return udp && asked.compareTo(LEAST_WITH_UDP) < 0 ? LEAST_WITH_UDP : asked;
  }

  /** Begins, with all pods in the mesh from now on. */
  static MtlsStatus begin(Instant now) {
    return new MtlsStatus(null, ceiling(now).toString(), null, 0, 0, List.of(), List.of());
  }

  /** Goes on from what was known before. */
  static QuietWatch of(
      MtlsStatus before,
      List<Pod> captured,
      MtlsObservation observed,
      Duration remembered,
      Instant now) {
    Instant quiet = before.quietSince() == null ? now : Instant.parse(before.quietSince());
    PlaintextSightings sightings = observed.sightings();
    Instant at = sightings.at();
    if (at == null) {
      return new QuietWatch(before, List.of("the ztunnels have not been asked yet"), quiet, null);
    }
    Evidence evidence = new Evidence(quiet);
    sightings.reports().forEach(report -> evidence.notBefore(report.last()));
    captured.forEach(pod -> evidence.weigh(pod, sightings, observed.udp(), at));
    Set<String> witnesses = evidence.witnesses(before.witnesses(), sightings, now);
    MtlsStatus next =
        new MtlsStatus(
            null,
            ceiling(evidence.quiet).toString(),
            now.truncatedTo(ChronoUnit.SECONDS).toString(),
            0,
            sightings.reports().stream().mapToLong(PlaintextReport::connections).sum(),
            List.of(),
            List.copyOf(witnesses));
    return new QuietWatch(
        told(
            before,
            withSenders(next, before, sightings, remembered, now),
            evidence.passing.isAfter(quiet),
            now),
        evidence.gaps,
        evidence.quiet,
        at);
  }

  private static Instant ceiling(Instant time) {
    Instant floor = time.truncatedTo(ChronoUnit.SECONDS);
    return floor.equals(time) ? floor : floor.plusSeconds(1);
  }

  /** Collects what speaks against quiet. */
  private static final class Evidence {
    private final List<String> gaps = new ArrayList<>();
    private Instant quiet;

    /** Of what is seen now, and may not be the next time: it has to be remembered. */
    private Instant passing;

    Evidence(Instant quiet) {
      this.quiet = quiet;
      this.passing = quiet;
    }

    void notBefore(@Nullable Instant time) {
      if (time != null && time.isAfter(quiet)) {
        quiet = time;
      }
    }

    private void unseenBefore(Instant time) {
      notBefore(time);
      if (time.isAfter(passing)) {
        passing = time;
      }
    }

    void weigh(Pod pod, PlaintextSightings sightings, boolean udp, Instant at) {
      String name = pod.getMetadata().getName();
      List<Watched> watched =
          sightings.reports().stream()
              .map(report -> report.pods().get(pod.getMetadata().getUid()))
              .filter(each -> each != null)
              .toList();
      Optional<Watched> first = watched.stream().min(Comparator.comparing(Watched::since));
      if (first.isEmpty()) {
        gaps.add("no ztunnel tells of pod " + name);
        return;
      }
      if (!isFromTheBeginning(first.get(), pod)) {
        unseenBefore(first.get().since());
      }
      if (udp && watched.stream().noneMatch(Watched::datagrams)) {
        gaps.add("plain datagrams to pod " + name + " are not seen yet");
        unseenBefore(at);
      }
    }

    /**
     * A run that has ended with pods in its care may have seen plaintext that it told nobody of.
     */
    Set<String> witnesses(List<String> before, PlaintextSightings sightings, Instant now) {
      Set<String> witnesses = new TreeSet<>();
      sightings.reports().stream()
          .filter(report -> !report.pods().isEmpty())
          .forEach(report -> witnesses.add(report.instance()));
      List<String> missing =
          before.stream().filter(each -> !sightings.instances().contains(each)).toList();
      if (!sightings.unheard().isEmpty()) {
        gaps.add("ztunnels do not tell: " + Names.some(sightings.unheard()));
        witnesses.addAll(missing);
      } else if (!missing.isEmpty()) {
        unseenBefore(now);
      }
      return witnesses;
    }

    private static boolean isFromTheBeginning(Watched watched, Pod pod) {
      return networkReady(pod)
          .filter(ready -> !watched.from().isAfter(ready.plus(KUBELET_TICK)))
          .isPresent();
    }

    /** No container has run before. */
    private static Optional<Instant> networkReady(Pod pod) {
      if (pod.getStatus() == null || pod.getStatus().getConditions() == null) {
        return Optional.empty();
      }
      return pod.getStatus().getConditions().stream()
          .filter(condition -> NETWORK_READY.equals(condition.getType()))
          .filter(condition -> "True".equals(condition.getStatus()))
          .map(PodCondition::getLastTransitionTime)
          .filter(time -> time != null)
          .findFirst()
          .flatMap(Evidence::instant);
    }

    private static Optional<Instant> instant(String text) {
      try {
        return Optional.of(Instant.parse(text));
      } catch (DateTimeParseException e) {
        return Optional.empty();
      }
    }
  }

  private record Way(String from, String to, int port, String protocol) {
    static Way of(PlaintextSender sender) {
      return new Way(sender.from(), sender.to(), sender.port(), sender.protocol());
    }
  }

  private static MtlsStatus withSenders(
      MtlsStatus status,
      MtlsStatus before,
      PlaintextSightings sightings,
      Duration remembered,
      Instant now) {
    List<PlaintextSender> all = senders(sightings, before, remembered, now);
    return new MtlsStatus(
        status.strictSince(),
        status.quietSince(),
        status.asOf(),
        all.size(),
        status.connections(),
        all.stream().limit(MOST_SENDERS).toList(),
        status.witnesses());
  }

  /** Those that ztunnels tell of, the last first. */
  static List<PlaintextSender> senders(PlaintextSightings sightings) {
    return senders(sightings, MtlsStatus.NOTHING_YET, Duration.ZERO, Instant.EPOCH);
  }

  /** Also those whose ztunnel has ended since, until they are forgotten. */
  private static List<PlaintextSender> senders(
      PlaintextSightings sightings, MtlsStatus before, Duration remembered, Instant now) {
    Map<Way, PlaintextSender> byWay = new HashMap<>();
    sightings.reports().stream()
        .flatMap(report -> report.senders().stream())
        .forEach(sender -> byWay.merge(Way.of(sender), sender, QuietWatch::sum));
    before.plaintext().stream()
        .filter(sender -> Instant.parse(sender.last()).plus(remembered).isAfter(now))
        .forEach(sender -> byWay.putIfAbsent(Way.of(sender), over(sender)));
    return byWay.values().stream()
        .sorted(
            Comparator.comparing(PlaintextSender::last)
                .reversed()
                .thenComparing(PlaintextSender::connections, Comparator.reverseOrder())
                .thenComparing(PlaintextSender::from)
                .thenComparing(PlaintextSender::to)
                .thenComparing(PlaintextSender::port))
        .toList();
  }

  private static PlaintextSender over(PlaintextSender sender) {
    return new PlaintextSender(
        sender.from(),
        sender.to(),
        sender.port(),
        sender.protocol(),
        sender.connections(),
        0,
        sender.bytes(),
        sender.last());
  }

  private static PlaintextSender sum(PlaintextSender one, PlaintextSender other) {
    Long bytes = one.bytes();
    Long more = other.bytes();
    return new PlaintextSender(
        one.from(),
        one.to(),
        one.port(),
        one.protocol(),
        one.connections() + other.connections(),
        one.open() + other.open(),
        bytes == null || more == null ? bytes : Long.valueOf(bytes + more),
        one.last().compareTo(other.last()) > 0 ? one.last() : other.last());
  }

  /** What differs in figures alone is told once a minute; what is the same is not told again. */
  private static MtlsStatus told(MtlsStatus before, MtlsStatus next, boolean atOnce, Instant now) {
    if (before.asOf() == null || atOnce || !sameButFigures(before, next)) {
      return next;
    }
    boolean same = at(next, before.asOf()).equals(before);
    boolean due = !now.isBefore(Instant.parse(before.asOf()).plus(WRITTEN_EVERY));
    return same || !due ? before : next;
  }

  private static boolean sameButFigures(MtlsStatus one, MtlsStatus other) {
    return one.witnesses().equals(other.witnesses())
        && one.senders() == other.senders()
        && ways(one).equals(ways(other));
  }

  private static Set<Way> ways(MtlsStatus status) {
    return status.plaintext().stream().map(Way::of).collect(Collectors.toSet());
  }

  private static MtlsStatus at(MtlsStatus status, @Nullable String asOf) {
    return new MtlsStatus(
        status.strictSince(),
        status.quietSince(),
        asOf,
        status.senders(),
        status.connections(),
        status.plaintext(),
        status.witnesses());
  }
}
