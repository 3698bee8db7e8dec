package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.xds.XdsResource;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Finds out which part of the listeners that a whole waypoint shares its Envoys do not take, and
 * keeps that part alone as it was, so that it costs no other.
 *
 * <p>Envoy says of such a listener what is wrong with it and not in which part. So the parts that
 * differ from what it took go on trial: each as a listener of its own, to which nothing leads, and
 * of which Envoy says whether it takes it. What it does not take is held: it stays as it was
 * before, or is left out where it is new, until it changes. An operator that has just started does
 * not know what there was before, so it leaves to Envoy what that has, and only says what is to
 * blame.
 */
final class ListenerTrials {
  /** What was offered for so long without an objection was taken. */
  static final Duration TAKEN = Duration.ofSeconds(10);

  /** For so long Envoys may object to what is on trial; they answer in milliseconds. */
  static final Duration TRIAL = Duration.ofSeconds(3);

  /** A trial takes as much of Envoy's memory as the part itself. */
  static final int MOST_AT_ONCE = 64;

  /**
   * A part that Envoys do not take.
   *
   * @param part as it was wanted
   * @param together whose parts Envoys do not take together, this among them; empty where it is
   *     this one alone
   * @param leftOut whether there is nothing of it, as there was nothing before
   */
  record Held(ListenerPart part, String error, Set<String> together, boolean leftOut) {
    Held {
      together = Set.copyOf(together);
    }
  }

  private Map<String, ListenerPart> wanted = Map.of();
  private Map<String, ListenerPart> offered = Map.of();
  private Map<String, ListenerPart> taken = Map.of();

  /** Of each part that is offered, since when it is as it is. */
  private final Map<String, Instant> since = new TreeMap<>();

  /** When it was last known of something that was offered that it is not taken. */
  private Instant refused = Instant.MIN;

  private List<Listener> listeners = List.of();
  private final Map<String, Held> held = new TreeMap<>();

  /** Why what is offered is not taken. */
  private Optional<String> refusal = Optional.empty();

  /** What is on trial, and what was without an objection; of the parts as they are offered. */
  private final Map<String, ListenerPart> onTrial = new TreeMap<>();

  private final Map<String, ListenerPart> acquitted = new TreeMap<>();
  private Instant trialSince = Instant.MIN;

  /** Envoys do not take one of the listeners that all parts share, as it is offered. */
  void refused(String error) {
    refusal = Optional.of(error);
  }

  /**
   * Envoys do not take a part that is on trial, here or at another replica.
   *
   * @param name of the trial's listener
   * @param version of it; another than of the part as it is wanted now is passed over
   */
  void refused(String name, String version, String error) {
    String key = name.substring(name.indexOf('|') + 1);
    ListenerPart part = wanted.get(key);
    Held before = held.get(key);
    if (part == null
        || (before != null && before.together().isEmpty())
        || !isOnTrial(key, part, name, version)) {
      return;
    }
    if (before != null) {
      // It was not known yet which of them it is.
      held.keySet().removeAll(before.together());
    }
    hold(key, part, error, Set.of());
  }

  private static boolean isOnTrial(String key, ListenerPart part, String name, String version) {
    return InnerListeners.onTrial(key, part).stream()
        .filter(listener -> listener.getName().equals(name))
        .anyMatch(
            listener ->
                XdsResource.of(name, EnvoyTypes.LISTENER, listener, Set.of())
                    .version()
                    .equals(version));
  }

  private void hold(String key, ListenerPart part, String error, Set<String> together) {
    held.put(key, new Held(part, error, together, !taken.isEmpty() && !taken.containsKey(key)));
    onTrial.remove(key);
  }

  /** Works out what is to be offered of the parts that are wanted. */
  void offer(Map<String, ListenerPart> parts, Instant now) {
    wanted = Map.copyOf(parts);
    release();
    Map<String, ListenerPart> next = withoutHeld();
    if (!next.equals(offered) || listeners.isEmpty()) {
      renew(next, now);
    }
    onTrial.entrySet().removeIf(each -> !each.getValue().equals(offered.get(each.getKey())));
    acquitted.entrySet().removeIf(each -> !each.getValue().equals(offered.get(each.getKey())));
    judge(now);
  }

  /** What has changed is offered again, and with it what was not taken together with it. */
  private void release() {
    Set<String> changed = new TreeSet<>();
    held.forEach(
        (key, part) -> {
          if (!part.part().equals(wanted.get(key))) {
            changed.add(key);
            changed.addAll(part.together());
          }
        });
    held.keySet().removeAll(changed);
  }

  private Map<String, ListenerPart> withoutHeld() {
    Map<String, ListenerPart> next = new TreeMap<>(wanted);
    if (!taken.isEmpty()) {
      held.keySet().forEach(key -> next.compute(key, (_, _) -> taken.get(key)));
    }
    return next;
  }

  private void renew(Map<String, ListenerPart> next, Instant now) {
    if (refusal.isPresent()) {
      // Whether what follows is taken is not known before there is an answer.
      refused = now;
    } else if (!now.isBefore(refused.plus(TAKEN))) {
      taken = settled(now);
    }
    next.forEach(
        (key, part) -> {
          if (!part.equals(offered.get(key))) {
            since.put(key, now);
          }
        });
    since.keySet().retainAll(next.keySet());
    offered = next;
    refusal = Optional.empty();
    listeners = InnerListeners.of(next.values());
  }

  private Map<String, ListenerPart> settled(Instant now) {
    Map<String, ListenerPart> settled = new TreeMap<>(taken);
    settled.keySet().retainAll(offered.keySet());
    offered.forEach(
        (key, part) -> {
          if (!now.isBefore(since.getOrDefault(key, now).plus(TAKEN))) {
            settled.put(key, part);
          }
        });
    return settled;
  }

  private void judge(Instant now) {
    if (!now.isBefore(trialSince.plus(TRIAL))) {
      acquitted.putAll(onTrial);
      onTrial.clear();
    }
    if (refusal.isEmpty()) {
      return;
    }
    Map<String, ListenerPart> suspects = new LinkedHashMap<>();
    offered.forEach(
        (key, part) -> {
          if (!held.containsKey(key) && !part.equals(taken.get(key))) {
            suspects.put(key, part);
          }
        });
    List<String> untried =
        suspects.keySet().stream()
            .filter(key -> !onTrial.containsKey(key) && !acquitted.containsKey(key))
            .limit(Math.max(0, MOST_AT_ONCE - onTrial.size()))
            .toList();
    if (!untried.isEmpty()) {
      untried.forEach(key -> onTrial.put(key, suspects.get(key)));
      trialSince = now;
    } else if (onTrial.isEmpty() && !suspects.isEmpty() && !taken.isEmpty()) {
      // Each alone would be taken, so it is what they come to together.
      String error = refusal.get();
      suspects.forEach((key, part) -> hold(key, part, error, suspects.keySet()));
      renew(withoutHeld(), now);
    }
  }

  /** The listeners that all parts share. */
  List<Listener> listeners() {
    return listeners;
  }

  /** Those of the parts that are on trial. */
  Stream<Listener> trials() {
    return onTrial.entrySet().stream()
        .flatMap(each -> InnerListeners.onTrial(each.getKey(), each.getValue()).stream());
  }

  /** The parts that listeners are made of now. */
  Collection<ListenerPart> offered() {
    return offered.values();
  }

  /** The parts that Envoys do not take, by whose they are. */
  Map<String, Held> held() {
    return held;
  }

  /** When there will be more to do though nothing changes. */
  Optional<Instant> due() {
    return onTrial.isEmpty() ? Optional.empty() : Optional.of(trialSince.plus(TRIAL));
  }

  /** Whether a listener of that name is made of parts. */
  static boolean isShared(String name) {
    return name.equals(Tunnels.MAIN) || name.equals(Tunnels.SNIFF);
  }

  /** Whether a listener of that name is a trial. */
  static boolean isTrial(String name) {
    return name.indexOf('|') > 0;
  }
}
