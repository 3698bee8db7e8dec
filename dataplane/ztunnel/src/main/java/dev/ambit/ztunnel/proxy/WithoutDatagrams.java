package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.zds.PodRuntime;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/**
 * Pods whose UDP is left alone, though a ztunnel before this one may have carried it: its rules are
 * taken out first, since they would lead to nobody.
 */
public final class WithoutDatagrams implements PodRuntime {
  private final PodRuntime pods;
  private final Executor executor;

  /**
   * @param executor whose threads are platform threads
   */
  public WithoutDatagrams(PodRuntime pods, Executor executor) {
    this.pods = pods;
    this.executor = executor;
  }

  @Override
  public CompletionStage<? extends Running> start(LocalPod pod, NetworkNamespace namespace) {
    return CompletableFuture.supplyAsync(
            () -> {
              try {
                DatagramRules.clean(namespace);
                return namespace;
              } catch (Exception e) {
                namespace.close();
                throw new IllegalStateException(
                    "cannot take out the rules for UDP: " + e.getMessage(), e);
              }
            },
            executor)
        .thenCompose(cleaned -> pods.start(pod, cleaned));
  }
}
