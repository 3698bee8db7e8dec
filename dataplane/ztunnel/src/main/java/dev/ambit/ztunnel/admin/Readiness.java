package dev.ambit.ztunnel.admin;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/** Whether the ztunnel can serve, and if not, what it still waits for. */
public final class Readiness {
  private final Map<String, BooleanSupplier> tasks = new LinkedHashMap<>();

  /** Adds something to wait for; {@code done} is asked at each check. */
  public synchronized void require(String task, BooleanSupplier done) {
    tasks.put(task, done);
  }

  /** What is waited for; empty when ready. */
  public synchronized List<String> pending() {
    List<String> pending = new ArrayList<>();
    tasks.forEach(
        (task, done) -> {
          if (!done.getAsBoolean()) {
            pending.add(task);
          }
        });
    return pending;
  }
}
