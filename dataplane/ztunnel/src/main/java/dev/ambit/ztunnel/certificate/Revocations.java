package dev.ambit.ztunnel.certificate;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The revocation lists that are in force now. Any thread may ask. */
public final class Revocations {
  private final boolean enabled;
  private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
  private volatile RevocationLists current = RevocationLists.NONE;

  private Revocations(boolean enabled) {
    this.enabled = enabled;
  }

  /** Nothing is ever revoked. */
  public static Revocations disabled() {
    return new Revocations(false);
  }

  static Revocations enabled() {
    return new Revocations(true);
  }

  /** Whether there may ever be lists. */
  public boolean isEnabled() {
    return enabled;
  }

  /** The lists of now. */
  public RevocationLists current() {
    return current;
  }

  /**
   * Has {@code listener} called after the lists have changed; open tunnels should then be judged
   * again. It is called on the thread that read them and has to return soon.
   */
  public void onChange(Runnable listener) {
    listeners.add(listener);
  }

  void replace(RevocationLists lists) {
    current = lists;
    listeners.forEach(Runnable::run);
  }
}
