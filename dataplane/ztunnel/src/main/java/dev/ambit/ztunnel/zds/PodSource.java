package dev.ambit.ztunnel.zds;

import java.time.Duration;
import java.util.concurrent.CompletionStage;

/** Where the pods come from that are served. */
public interface PodSource {
  /** Begins to serve pods, and goes on until drained. */
  void start();

  /** Whether all the pods are known that there are to begin with. */
  boolean hasSnapshot();

  /** Takes no more pods and drains those there are; completes when no connection is left. */
  CompletionStage<Void> drain(Duration deadline);
}
