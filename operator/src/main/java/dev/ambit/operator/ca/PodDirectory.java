package dev.ambit.operator.ca;

import java.io.IOException;
import java.util.Optional;

/**
 * Where pods run and as whom: what node authorization asks. Cached answers may lag; the methods
 * named so may not.
 */
public interface PodDirectory {

  /** The facts of a pod that node authorization turns on. */
  record PodFacts(
      String namespace,
      String name,
      String uid,
      String serviceAccount,
      String node,
      boolean done) {}

  /** From the cache. */
  Optional<PodFacts> cachedPod(String namespace, String name);

  /** Whether the cache knows a pod that is not done, of that account, on that node. */
  boolean cachedOnNode(String node, String namespace, String serviceAccount);

  /**
   * From the API server; blocks.
   *
   * @throws IOException where it cannot be asked at the moment
   */
  Optional<PodFacts> currentPod(String namespace, String name) throws IOException;

  /**
   * The same question to the API server; blocks.
   *
   * @throws IOException where it cannot be asked at the moment
   */
  boolean currentlyOnNode(String node, String namespace, String serviceAccount) throws IOException;
}
