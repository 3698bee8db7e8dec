package dev.ambit.ztunnel.state;

import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Asks the control plane for single resources, where it does not send all of them. Any thread may
 * call it, and no call blocks.
 */
public interface Demand {
  /**
   * Asks for the resource called {@code name}: {@code NETWORK/ADDRESS}, {@code NAMESPACE/HOSTNAME}
   * or a workload's uid.
   *
   * @return null where the answer is in: the resource is held, or is known not to exist. Else
   *     completes when it is, on any thread; exceptionally where none comes in time.
   */
  @Nullable CompletionStage<Void> ask(String name);

  /** The resource called {@code name} is in use, and is to be kept. */
  void used(String name);
}
