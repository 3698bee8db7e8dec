package dev.ambit.ztunnel.netns;

import java.util.Deque;
import org.jspecify.annotations.Nullable;

/** Closes many resources, each even where another one fails to close. */
final class Closing {
  private Closing() {}

  /** Closes and removes {@code resources}, first to last, and fails afterwards if one failed. */
  static void all(Deque<? extends AutoCloseable> resources) {
    @Nullable IllegalStateException failed = null;
    while (!resources.isEmpty()) {
      try {
        resources.pop().close();
      } catch (Exception e) {
        if (failed == null) {
          failed = new IllegalStateException("not everything could be closed");
        }
        failed.addSuppressed(e);
      }
    }
    if (failed != null) {
      throw failed;
    }
  }
}
