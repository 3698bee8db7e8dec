package dev.ambit.operator.xds;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What one stream has asked for of one type, what it holds, and what it still has to be told. The
 * rules are those of the xDS protocol's incremental variant. Not thread-safe: its stream guards it.
 */
final class Subscription {
  private static final String WILDCARD = "*";

  private boolean wildcard;
  private final Set<String> names = new HashSet<>();

  /** Versions by name, of what the client holds, counting what is on its way to it. */
  private final Map<String, String> held = new HashMap<>();

  private final Map<String, XdsResource> upserts = new LinkedHashMap<>();
  private final Set<String> removals = new LinkedHashSet<>();

  /** Set until the first response, which is due even where there is nothing to say. */
  private boolean owesAnswer = true;

  /** The first request for the type: no names at all, and it is for everything. */
  Subscription(
      Collection<String> subscribe,
      Collection<String> unsubscribe,
      Map<String, String> initialVersions,
      Map<String, XdsResource> current) {
    if (subscribe.isEmpty() && unsubscribe.isEmpty()) {
      wildcard = true;
    }
    for (String name : subscribe) {
      if (name.equals(WILDCARD)) {
        wildcard = true;
      } else {
        names.add(name);
      }
    }
    for (String name : unsubscribe) {
      if (name.equals(WILDCARD)) {
        wildcard = false;
      } else {
        names.remove(name);
      }
    }
    held.putAll(initialVersions);
    for (XdsResource resource : current.values()) {
      offer(resource);
    }
    for (String name : initialVersions.keySet()) {
      if (!current.containsKey(name)) {
        removals.add(name);
      }
    }
    for (String name : names) {
      if (!known(name, current)) {
        removals.add(name);
      }
    }
  }

  /** A later request's changes to what is asked for. */
  void change(
      Collection<String> subscribe,
      Collection<String> unsubscribe,
      Map<String, XdsResource> current) {
    for (String name : unsubscribe) {
      if (name.equals(WILDCARD)) {
        wildcard = false;
        held.keySet().removeIf(heldName -> !wantedByName(heldName, current));
        upserts.values().removeIf(resource -> !wants(resource));
        removals.removeIf(removed -> !names.contains(removed));
      } else if (names.remove(name)) {
        forget(name, current);
      }
    }
    for (String name : subscribe) {
      if (name.equals(WILDCARD)) {
        wildcard = true;
        current.values().forEach(this::offer);
      } else {
        names.add(name);
        request(name, current);
      }
    }
  }

  /** A name that is asked for again is sent again: the client may have dropped it. */
  private void request(String name, Map<String, XdsResource> current) {
    boolean found = false;
    for (XdsResource resource : matching(name, current)) {
      found = true;
      held.remove(resource.name());
      offer(resource);
    }
    if (!found) {
      removals.add(name);
    }
  }

  private void forget(String name, Map<String, XdsResource> current) {
    removals.remove(name);
    for (XdsResource resource : matching(name, current)) {
      if (wants(resource)) {
        // Still covered by the wildcard or another name, which the client has to be told.
        held.remove(resource.name());
        offer(resource);
      } else {
        held.remove(resource.name());
        upserts.remove(resource.name());
      }
    }
    if (wildcard && !known(name, current)) {
      removals.add(name);
    }
  }

  /** Takes changes in the order in which they were committed. */
  void take(Map<String, Optional<XdsResource>> changes) {
    changes.forEach(
        (name, change) -> {
          if (change.isPresent() && wants(change.get())) {
            offer(change.get());
          } else {
            withdraw(name);
          }
        });
  }

  private void offer(XdsResource resource) {
    if (!wants(resource)) {
      return;
    }
    removals.remove(resource.name());
    if (resource.version().equals(held.get(resource.name()))) {
      upserts.remove(resource.name());
    } else {
      upserts.put(resource.name(), resource);
    }
  }

  private void withdraw(String name) {
    upserts.remove(name);
    if (held.containsKey(name)) {
      removals.add(name);
    }
  }

  private boolean wants(XdsResource resource) {
    return wildcard
        || names.contains(resource.name())
        || resource.lookupKeys().stream().anyMatch(names::contains);
  }

  private boolean wantedByName(String name, Map<String, XdsResource> current) {
    XdsResource resource = current.get(name);
    return resource == null ? names.contains(name) : wants(resource);
  }

  private static Iterable<XdsResource> matching(String name, Map<String, XdsResource> current) {
    return current.values().stream()
        .filter(resource -> resource.name().equals(name) || resource.lookupKeys().contains(name))
        .toList();
  }

  private static boolean known(String name, Map<String, XdsResource> current) {
    return current.containsKey(name)
        || current.values().stream().anyMatch(resource -> resource.lookupKeys().contains(name));
  }

  boolean hasUpserts() {
    return !upserts.isEmpty();
  }

  boolean hasRemovals() {
    return !removals.isEmpty();
  }

  boolean idle() {
    return upserts.isEmpty() && removals.isEmpty() && !owesAnswer;
  }

  boolean owesAnswer() {
    return owesAnswer;
  }

  void answered() {
    owesAnswer = false;
  }

  /** Lookup keys go with the resource only where the client asks by them. */
  boolean onDemand() {
    return !wildcard;
  }

  Map<String, XdsResource> upserts() {
    return upserts;
  }

  Set<String> removals() {
    return removals;
  }

  void sent(XdsResource resource) {
    upserts.remove(resource.name());
    held.put(resource.name(), resource.version());
  }

  void sentRemoval(String name) {
    removals.remove(name);
    held.remove(name);
  }
}
