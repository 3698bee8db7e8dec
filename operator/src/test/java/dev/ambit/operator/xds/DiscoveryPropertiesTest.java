package dev.ambit.operator.xds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.ambit.protocol.xds.Resource;
import java.io.IOException;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/**
 * Whatever changes, and however a client comes, stalls and goes: in the end it holds what the
 * server serves; it was sent nothing that it held already; and at no time did an address it held
 * refer to a policy it did not hold.
 */
class DiscoveryPropertiesTest {
  @Property(tries = 40)
  void clientsEndWithWhatIsServed(@ForAll long seed) throws IOException {
    Random random = new Random(seed);
    // Small responses, so that changes fall between the parts of one push.
    try (Mesh mesh = new Mesh(new XdsSettings(300, Duration.ofSeconds(30)))) {
      Map<String, Set<String>> addresses = new HashMap<>();
      Set<String> policies = new HashSet<>();
      Map<String, Map<String, Resource>> kept = Map.of();
      for (int session = 0; session < 4; session++) {
        boolean manual = random.nextBoolean();
        try (Client client = new Client(mesh, manual, kept)) {
          List<XdsType> types =
              random.nextBoolean()
                  ? List.of(Mesh.POLICY, Mesh.ADDRESS)
                  : List.of(Mesh.ADDRESS, Mesh.POLICY);
          client.open(types.get(0));
          int at = random.nextInt(8);
          for (int step = 0; step < 25; step++) {
            if (step == at) {
              client.open(types.get(1));
            }
            mesh.discovery.commit(Mesh.REALM, change(random, addresses, policies));
            if (manual && random.nextInt(3) == 0) {
              client.pull();
            }
          }
          if (random.nextInt(3) > 0) {
            await()
                .pollInterval(Duration.ofMillis(1))
                .atMost(Duration.ofSeconds(20))
                .untilAsserted(
                    () -> {
                      if (manual) {
                        client.pull();
                      }
                      for (XdsType type : types) {
                        assertThat(client.versions(type))
                            .isEqualTo(mesh.discovery.versions(Mesh.REALM, type));
                      }
                    });
          }
          assertThat(client.faults()).isEmpty();
          kept = client.snapshot();
        }
        mesh.discovery.commit(Mesh.REALM, change(random, addresses, policies));
      }
    }
  }

  /** A commit that is consistent in itself: what an address refers to is there. */
  private static ChangeSet change(
      Random random, Map<String, Set<String>> addresses, Set<String> policies) {
    ChangeSet.Builder changes = new ChangeSet.Builder();
    for (int i = random.nextInt(3); i >= 0; i--) {
      String policy = "p" + random.nextInt(6);
      if (random.nextInt(3) == 0 && policies.remove(policy)) {
        changes.remove(Mesh.POLICY, policy);
        addresses.forEach(
            (name, refers) -> {
              if (refers.remove(policy)) {
                changes.put(Mesh.ADDRESS, Mesh.address(name, "v" + random.nextInt(3), refers));
              }
            });
      } else {
        policies.add(policy);
        changes.put(Mesh.POLICY, Mesh.policy(policy, "v" + random.nextInt(3)));
      }
      String address = "a" + random.nextInt(10);
      if (random.nextInt(3) == 0) {
        addresses.remove(address);
        changes.remove(Mesh.ADDRESS, address);
      } else {
        Set<String> refers = new HashSet<>(policies);
        refers.removeIf(_ -> random.nextBoolean());
        addresses.put(address, refers);
        changes.put(Mesh.ADDRESS, Mesh.address(address, "v" + random.nextInt(3), refers));
      }
    }
    return changes.build();
  }
}
