package dev.ambit.operator.controlplane;

import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** As which service account each waypoint runs. Thread-safe. */
final class WaypointAccounts {
  private final Map<String, String> accounts = new ConcurrentHashMap<>();

  /** Of the waypoint that is that Gateway, "namespace/name". */
  Optional<String> get(String gateway) {
    return Optional.ofNullable(accounts.get(gateway));
  }

  void put(String gateway, String account) {
    accounts.put(gateway, account);
  }

  void remove(String gateway) {
    accounts.remove(gateway);
  }
}
