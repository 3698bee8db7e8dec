package dev.ambit.ztunnel.zds;

import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.state.LocalPod;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;

/** Starts proxying for pods: what the node agent's requests come down to. */
public interface PodRuntime {
  /**
   * Binds the pod's listeners inside its network namespace and serves it from then on. Takes
   * ownership of {@code namespace}, also where the start fails.
   */
  CompletionStage<? extends Running> start(LocalPod pod, NetworkNamespace namespace);

  /** A pod that is served. */
  interface Running {
    /**
     * Closes the listeners, tells peers to open no more, and lets open connections go on for {@code
     * deadline} at most; zero cuts them off. Completes when none is left.
     */
    CompletionStage<Void> drain(Duration deadline);

    /**
     * The pod leaves the mesh, or is gone; {@link #drain} follows. Where it does not come, the
     * ztunnel itself ends, and the next one takes over.
     */
    default void leaving() {}

    /**
     * The pod has begun to terminate: has peers open new tunnels for what they begin from now on,
     * which may be elsewhere. The pod is served on; open connections are left alone.
     */
    void terminating();

    /** How many connections are open in and out of the pod. */
    int openConnections();

    /** What is open in and out of the pod. */
    CompletionStage<List<LiveConnection>> connections();
  }
}
