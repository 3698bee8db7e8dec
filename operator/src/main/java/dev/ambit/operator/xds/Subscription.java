package dev.ambit.operator.xds;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What one stream has asked for of one type, what it holds, and what it still has to be told. The
 * rules are those of the xDS protocol's incremental variant. Not thread-safe: its stream guards it;
 * and while it is on demand, whoever changes it also holds the lock of the table.
 */
final class Subscription {
  private static final String WILDCARD = "*";

  private final ResourceTable table;
  private boolean wildcard;

  /** Names and lookup keys that were asked for. */
  private final Set<String> names = new HashSet<>();

  /**
   * Names of what was found by those. What has one of them as a key belongs to it, as endpoints to
   * a service, and is sent with it.
   */
  private final Set<String> found = new HashSet<>();

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
      ResourceTable table) {
    this.table = table;
    wildcard = subscribe.isEmpty() && unsubscribe.isEmpty();
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
    if (wildcard) {
      table.all().forEach(this::offer);
    } else {
      // One that comes back on demand does not name again what it has asked for, but it holds it.
      names.addAll(initialVersions.keySet());
      List.copyOf(names).forEach(name -> table.find(name).forEach(this::offer));
    }
    initialVersions.forEach(
        (name, version) -> {
          if (table.get(name) == null) {
            if (version.isEmpty() && !wildcard && table.knows(name)) {
              // A key that was asked for, and not something that is held.
              held.remove(name);
            } else {
              removals.add(name);
            }
          }
        });
    for (String name : names) {
      if (!table.knows(name)) {
        removals.add(name);
      }
    }
  }

  /** A later request's changes to what is asked for. */
  void change(Collection<String> subscribe, Collection<String> unsubscribe) {
    for (String name : unsubscribe) {
      if (name.equals(WILDCARD)) {
        endWildcard();
      } else if (names.remove(name)) {
        forget(name);
      }
    }
    for (String name : subscribe) {
      if (name.equals(WILDCARD)) {
        wildcard = true;
        table.all().forEach(this::offer);
      } else {
        names.add(name);
        request(name);
      }
    }
  }

  private void endWildcard() {
    wildcard = false;
    found.clear();
    List.copyOf(names).forEach(name -> table.find(name).forEach(this::offer));
    held.keySet()
        .removeIf(
            name -> {
              XdsResource resource = table.get(name);
              return resource == null ? !names.contains(name) : !wants(resource);
            });
    upserts.values().removeIf(resource -> !wants(resource));
    removals.removeIf(removed -> !names.contains(removed));
  }

  /** A name that is asked for again is sent again: the client may have dropped it. */
  private void request(String name) {
    List<XdsResource> matching = table.find(name);
    for (XdsResource resource : matching) {
      again(resource);
      if (!wildcard) {
        table.find(resource.name()).forEach(this::again);
      }
    }
    if (matching.isEmpty()) {
      removals.add(name);
    }
  }

  /** Sends it once more, where it is there and asked for. */
  void resend(String name) {
    XdsResource resource = table.get(name);
    if (resource != null && wants(resource)) {
      again(resource);
    }
  }

  private void again(XdsResource resource) {
    // Of no version that is known; but it may be there, and have to be removed later.
    held.replace(resource.name(), "");
    offer(resource);
  }

  private void forget(String name) {
    if (!held.containsKey(name)) {
      removals.remove(name);
    }
    for (XdsResource resource : table.find(name)) {
      if (wants(resource)) {
        // Still covered by the wildcard or another name, which the client has to be told.
        again(resource);
      } else {
        // The client drops what it gives up, but does not know what came with it.
        held.remove(resource.name());
        upserts.remove(resource.name());
        lose(resource.name());
      }
    }
  }

  /** Changes that were committed. */
  void take(Map<String, Optional<XdsResource>> changes) {
    changes.forEach(
        (name, change) -> {
          if (change.isPresent()) {
            offer(change.get());
          } else {
            withdraw(name);
          }
        });
  }

  private void offer(XdsResource resource) {
    if (!wildcard) {
      if (!wants(resource)) {
        // It was found by a key that it no longer has.
        withdraw(resource.name());
        return;
      }
      if (!askedFor(resource)) {
        lose(resource.name());
      } else if (found.add(resource.name())) {
        table.find(resource.name()).forEach(this::offer);
      }
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
    lose(name);
  }

  /** What came with it goes, unless it is wanted for another reason. */
  private void lose(String name) {
    if (found.remove(name)) {
      for (XdsResource resource : table.find(name)) {
        if (!wants(resource)) {
          withdraw(resource.name());
        }
      }
    }
  }

  private boolean wants(XdsResource resource) {
    return wildcard
        || askedFor(resource)
        || resource.lookupKeys().stream().anyMatch(found::contains);
  }

  private boolean askedFor(XdsResource resource) {
    return names.contains(resource.name())
        || resource.lookupKeys().stream().anyMatch(names::contains);
  }

  boolean hasUpserts() {
    return !upserts.isEmpty();
  }

  /** Whether others than the resource of that name are to be sent. */
  boolean hasUpsertsBut(String name) {
    return upserts.size() > (upserts.containsKey(name) ? 1 : 0);
  }

  boolean holds(String name) {
    return held.containsKey(name);
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
