package dev.ambit.operator.model;

import com.google.protobuf.ByteString;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.zip.CRC32;

/**
 * Gives hosts of ServiceEntries that have no address one of the mesh's own, of either family, under
 * which pods can reach them. The ranges are Istio's. A host that comes back gets the address it
 * had, where that is still free. Not thread-safe.
 */
public final class AddressLedger {
  private static final byte[] FOUR = {(byte) 240, (byte) 240};
  private static final byte[] SIX = {0x20, 0x01, 0, 2};

  /** Addresses of the first range that can be used: neither the first nor the last. */
  private static final int SIZE = 65_534;

  private final Map<ByteString, NavigableSet<Owner>> owners = new HashMap<>();
  private final Map<String, Set<ByteString>> byEntry = new HashMap<>();
  private final Map<String, Owner> known = new HashMap<>();

  /**
   * One who uses an address. Who was given it by a user keeps it, or else who is older.
   *
   * @param given by a user, in the spec
   */
  private record Owner(boolean given, String created, String entry) {
    static final Comparator<Owner> ORDER =
        Comparator.comparing(Owner::given)
            .reversed()
            .thenComparing(Owner::created)
            .thenComparing(Owner::entry);
  }

  /** An address of a host, as a ServiceEntry's status has it. */
  public record HostAddress(String host, String value) {}

  /** Takes note of the addresses that an entry has; what was known of it before is forgotten. */
  public void learn(ServiceEntry entry) {
    Set<ByteString> addresses = new HashSet<>();
    List<String> given =
        entry.getSpec() == null || entry.getSpec().getAddresses() == null
            ? List.of()
            : entry.getSpec().getAddresses();
    given.forEach(address -> IpAddresses.parse(address).ifPresent(addresses::add));
    if (given.isEmpty()) {
      ServiceEntries.hosts(entry)
          .forEach(host -> addresses.addAll(ServiceEntries.allocated(entry, host)));
    }
    note(owner(entry, !given.isEmpty()), addresses);
  }

  /** Frees the addresses of an entry that is gone. */
  public void forget(String namespace, String name) {
    String key = namespace + "/" + name;
    Owner owner = known.remove(key);
    Set<ByteString> addresses = byEntry.remove(key);
    if (owner != null && addresses != null) {
      addresses.forEach(
          address ->
              owners.computeIfPresent(
                  address,
                  (_, present) -> {
                    present.remove(owner);
                    return present.isEmpty() ? null : present;
                  }));
    }
  }

  private void note(Owner owner, Set<ByteString> addresses) {
    int slash = owner.entry().indexOf('/');
    forget(owner.entry().substring(0, slash), owner.entry().substring(slash + 1));
    known.put(owner.entry(), owner);
    byEntry.put(owner.entry(), addresses);
    addresses.forEach(
        address -> owners.computeIfAbsent(address, _ -> new TreeSet<>(Owner.ORDER)).add(owner));
  }

  private static Owner owner(ServiceEntry entry, boolean given) {
    String created = entry.getMetadata().getCreationTimestamp();
    return new Owner(
        given,
        created == null ? "" : created,
        entry.getMetadata().getNamespace() + "/" + entry.getMetadata().getName());
  }

  /**
   * The addresses that an entry's status is to have from now on, which are then its own; nothing
   * where it has them already, or needs none. A host is left without where none is free.
   */
  public Optional<List<HostAddress>> due(ServiceEntry entry) {
    learn(entry);
    Owner self = owner(entry, false);
    List<HostAddress> wanted = new ArrayList<>();
    List<HostAddress> present = new ArrayList<>();
    Set<ByteString> own = new HashSet<>();
    Set<String> hosts = ServiceEntries.hostsToAllocate(entry);
    if (hosts.isEmpty()) {
      return Optional.empty();
    }
    for (String host : hosts) {
      List<ByteString> allocated = ServiceEntries.allocated(entry, host);
      allocated.forEach(address -> present.add(new HostAddress(host, text(address))));
      for (int size : new int[] {4, 16}) {
        allocated.stream()
            .filter(address -> address.size() == size && isFree(address, self, own))
            .findFirst()
            .or(() -> allocate(entry.getMetadata().getNamespace(), host, size, self, own))
            .ifPresent(
                address -> {
                  own.add(address);
                  wanted.add(new HostAddress(host, text(address)));
                });
      }
    }
    if (Set.copyOf(wanted).equals(Set.copyOf(present))) {
      return Optional.empty();
    }
    note(self, own);
    return Optional.of(wanted);
  }

  /** Free for one who has not used it for another host of its own. */
  private boolean isFree(ByteString address, Owner self, Set<ByteString> own) {
    NavigableSet<Owner> present = owners.get(address);
    return !own.contains(address) && (present == null || present.first().equals(self));
  }

  private Optional<ByteString> allocate(
      String namespace, String host, int size, Owner self, Set<ByteString> own) {
    CRC32 hash = new CRC32();
    hash.update((namespace + "/" + host).getBytes(StandardCharsets.UTF_8));
    int start = (int) (hash.getValue() % SIZE);
    for (int i = 0; i < SIZE; i++) {
      ByteString candidate = address(size, (start + i) % SIZE + 1);
      // Not one that it is losing to another either.
      if (!owners.containsKey(candidate) && isFree(candidate, self, own)) {
        return Optional.of(candidate);
      }
    }
    return Optional.empty();
  }

  private static ByteString address(int size, int number) {
    byte[] bytes = new byte[size];
    byte[] prefix = size == 4 ? FOUR : SIX;
    System.arraycopy(prefix, 0, bytes, 0, prefix.length);
    bytes[size - 2] = (byte) (number >> 8);
    bytes[size - 1] = (byte) number;
    return ByteString.copyFrom(bytes);
  }

  /** As one would write it (RFC 5952), for those of our range. */
  private static String text(ByteString address) {
    int number = (address.byteAt(address.size() - 2) & 0xff) << 8;
    number |= address.byteAt(address.size() - 1) & 0xff;
    return number != 0 && address.equals(address(16, number))
        ? String.format(Locale.ROOT, "2001:2::%x", number)
        : IpAddresses.text(address);
  }
}
