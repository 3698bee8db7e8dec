package dev.ambit.operator.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.model.AddressLedger.HostAddress;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntryAddress;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntryStatus;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;

/** Each host that needs an address gets one of either family that nobody else has. */
class AddressLedgerTest {
  private static ServiceEntry entry(String name, int created, String spec) {
    return Objects.serviceEntry(
        "metadata: {name: %s, namespace: shop, creationTimestamp: '2026-01-%02dT00:00:00Z'}\nspec: %s"
            .formatted(name, created, spec));
  }

  private static ServiceEntry with(ServiceEntry entry, List<HostAddress> addresses) {
    ServiceEntryStatus status = new ServiceEntryStatus();
    status.setAddresses(
        addresses.stream()
            .map(address -> new ServiceEntryAddress(address.host(), address.value()))
            .toList());
    entry.setStatus(status);
    return entry;
  }

  @Test
  void hostsWithoutAddressesGetOneOfEitherFamilyForGood() {
    ServiceEntry entry =
        entry("x", 1, "{hosts: [x.example.com, '*.example.com'], resolution: DNS}");
    List<HostAddress> due = new AddressLedger().due(entry).orElseThrow();
    assertThat(due).extracting(HostAddress::host).containsOnly("x.example.com").hasSize(2);
    assertThat(due.getFirst().value()).startsWith("240.240.");
    assertThat(due.getLast().value()).startsWith("2001:2::");
    // Once they are written, nothing more is due, now or for the next leader.
    assertThat(new AddressLedger().due(with(entry, due))).isEmpty();
    // And who comes back finds them again.
    assertThat(
            new AddressLedger().due(entry("x", 5, "{hosts: [x.example.com], resolution: STATIC}")))
        .contains(due);
  }

  @Test
  void whoHasAddressesOrCannotUseThemGetsNone() {
    AddressLedger ledger = new AddressLedger();
    assertThat(ledger.due(entry("a", 1, "{hosts: [x], addresses: [10.0.0.1], resolution: DNS}")))
        .isEmpty();
    assertThat(ledger.due(entry("b", 1, "{hosts: [x], resolution: NONE}"))).isEmpty();
    ServiceEntry optedOut = entry("c", 1, "{hosts: [x], resolution: DNS}");
    optedOut.getMetadata().setLabels(Map.of("networking.istio.io/enable-autoallocate-ip", "false"));
    assertThat(ledger.due(optedOut)).isEmpty();
  }

  @Test
  void ofTwoWithTheSameAddressTheOlderKeepsIt() {
    List<HostAddress> same = List.of(new HostAddress("x", "240.240.0.9"));
    ServiceEntry older = with(entry("older", 1, "{hosts: [x], resolution: DNS}"), same);
    ServiceEntry younger = with(entry("younger", 2, "{hosts: [x], resolution: DNS}"), same);
    AddressLedger ledger = new AddressLedger();
    ledger.learn(younger);
    ledger.learn(older);
    assertThat(ledger.due(older).orElseThrow()).contains(same.getFirst());
    assertThat(ledger.due(younger).orElseThrow()).doesNotContain(same.getFirst());
  }

  @Property(tries = 200)
  void noTwoHostsEverShareAnAddressOnceAllIsSettled(@ForAll long seed) {
    Random random = new Random(seed);
    Map<String, ServiceEntry> entries = new HashMap<>();
    AddressLedger ledger = new AddressLedger();
    for (int step = 0; step < 40; step++) {
      String name = "n" + random.nextInt(6);
      if (random.nextInt(5) == 0) {
        entries.remove(name);
        ledger.forget("shop", name);
        continue;
      }
      ServiceEntry entry =
          entry(
              name,
              random.nextInt(28) + 1,
              "{hosts: [h%d, h%d], resolution: DNS%s}"
                  .formatted(
                      random.nextInt(4),
                      random.nextInt(4),
                      random.nextInt(6) == 0
                          ? ", addresses: [240.240.0." + random.nextInt(3) + "]"
                          : ""));
      if (random.nextInt(3) == 0) {
        // As some backup has it.
        with(entry, List.of(new HostAddress("h0", "240.240.0." + random.nextInt(3))));
      }
      entries.put(name, entry);
      ledger.learn(entry);
    }
    for (int round = 0; round < 3; round++) {
      for (ServiceEntry entry : entries.values()) {
        Optional<List<HostAddress>> due = ledger.due(entry);
        due.ifPresent(addresses -> with(entry, addresses));
      }
    }
    Set<String> seen = new HashSet<>();
    for (ServiceEntry entry : entries.values()) {
      assertThat(ledger.due(entry)).isEmpty();
      for (String host : ServiceEntries.hostsToAllocate(entry)) {
        assertThat(ServiceEntries.allocated(entry, host)).hasSize(2);
        ServiceEntries.allocated(entry, host)
            .forEach(address -> assertThat(seen.add(IpAddresses.text(address))).isTrue());
      }
    }
    // What a user has given is nobody else's.
    entries.values().stream()
        .flatMap(entry -> entry.getSpec().getAddresses().stream())
        .forEach(given -> assertThat(seen).doesNotContain(given));
  }
}
