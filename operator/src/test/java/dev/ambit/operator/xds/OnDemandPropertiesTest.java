package dev.ambit.operator.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.StringValue;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/**
 * A client on demand ends with what it has asked for, by name or by key, and with what belongs to
 * that, whatever changes, however slowly it is sent things, and however it comes back.
 */
class OnDemandPropertiesTest {
  /** Named things with addresses, and members of them that have addresses too. */
  private static final class World {
    final ResourceTable table = new ResourceTable();
    final Map<String, XdsResource> plain = new TreeMap<>();

    Map<String, Optional<XdsResource>> change(Random random) {
      Map<String, Optional<XdsResource>> changes = new HashMap<>();
      for (int i = random.nextInt(3); i >= 0; i--) {
        String name = (random.nextBoolean() ? "service" : "workload") + random.nextInt(4);
        if (random.nextInt(4) == 0) {
          plain.remove(name);
          table.remove(name);
          changes.put(name, Optional.empty());
        } else {
          Set<String> keys = new HashSet<>();
          keys.add("/" + random.nextInt(5));
          if (name.startsWith("workload")) {
            for (int member = random.nextInt(3); member > 0; member--) {
              keys.add("service" + random.nextInt(4));
            }
          }
          XdsResource resource =
              XdsResource.of(name, Mesh.ADDRESS, StringValue.of("v" + random.nextInt(4)), keys);
          plain.put(name, resource);
          table.put(resource);
          changes.put(name, Optional.of(resource));
        }
      }
      return changes;
    }

    /** What somebody gets who asks by these. */
    Map<String, String> wanted(Set<String> names) {
      Set<String> asked = new HashSet<>();
      plain.values().stream()
          .filter(resource -> matches(resource, names))
          .forEach(resource -> asked.add(resource.name()));
      Map<String, String> wanted = new TreeMap<>();
      for (XdsResource resource : plain.values()) {
        if (asked.contains(resource.name())
            || resource.lookupKeys().stream().anyMatch(asked::contains)) {
          wanted.put(resource.name(), resource.version());
        }
      }
      return wanted;
    }

    static boolean matches(XdsResource resource, Set<String> names) {
      return names.contains(resource.name())
          || resource.lookupKeys().stream().anyMatch(names::contains);
    }
  }

  private static String any(Random random) {
    return switch (random.nextInt(3)) {
      case 0 -> "/" + random.nextInt(5);
      case 1 -> "service" + random.nextInt(4);
      default -> "workload" + random.nextInt(4);
    };
  }

  @Property(tries = 500)
  void aClientOnDemandHoldsWhatItAskedForAndWhatBelongsToIt(@ForAll long seed) {
    Random random = new Random(seed);
    World world = new World();
    Map<String, String> client = new TreeMap<>();
    Set<String> names = new HashSet<>();
    Subscription subscription = new Subscription(List.of("*"), List.of("*"), Map.of(), world.table);
    for (int step = 0; step < 60; step++) {
      switch (random.nextInt(6)) {
        case 0 -> {
          String name = any(random);
          names.add(name);
          subscription.change(List.of(name), List.of());
        }
        case 1 -> {
          if (random.nextInt(3) == 0) {
            String name = any(random);
            if (names.remove(name)) {
              Map<String, String> wanted = world.wanted(names);
              subscription.change(List.of(), List.of(name));
              // What a client gives up it drops itself.
              world.plain.values().stream()
                  .filter(resource -> World.matches(resource, Set.of(name)))
                  .filter(resource -> !wanted.containsKey(resource.name()))
                  .forEach(resource -> client.remove(resource.name()));
            }
          }
        }
        case 2 -> {
          if (random.nextInt(4) == 0) {
            // It loses its stream, and tells the next what it holds and what it still waits for.
            Map<String, String> versions = new HashMap<>(client);
            names.forEach(name -> versions.putIfAbsent(name, ""));
            names.addAll(client.keySet());
            subscription = new Subscription(List.of("*"), List.of("*"), versions, world.table);
          }
        }
        default -> subscription.take(world.change(random));
      }
      send(random, subscription, client, random.nextInt(3));
    }
    while (subscription.hasUpserts() || subscription.hasRemovals()) {
      send(random, subscription, client, 5);
    }
    assertThat(client).isEqualTo(world.wanted(names));
  }

  private static void send(
      Random random, Subscription subscription, Map<String, String> client, int most) {
    List<XdsResource> upserts = new ArrayList<>(subscription.upserts().values());
    for (int i = 0; i < Math.min(most, upserts.size()); i++) {
      client.put(upserts.get(i).name(), upserts.get(i).version());
      subscription.sent(upserts.get(i));
    }
    if (!subscription.hasUpserts() && random.nextBoolean()) {
      for (String name : List.copyOf(subscription.removals())) {
        client.remove(name);
        subscription.sentRemoval(name);
      }
    }
  }

  @Property(tries = 100)
  void whatIsUnknownIsSaidToBeGone(@ForAll long seed) {
    Random random = new Random(seed);
    World world = new World();
    world.change(random);
    String name = any(random);
    Subscription subscription = new Subscription(List.of(name), List.of(), Map.of(), world.table);
    assertThat(subscription.removals().contains(name))
        .isEqualTo(
            world.plain.values().stream()
                .noneMatch(resource -> World.matches(resource, Set.of(name))));
  }
}
