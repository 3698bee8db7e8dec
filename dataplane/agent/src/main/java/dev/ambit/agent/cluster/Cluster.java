package dev.ambit.agent.cluster;

import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;

/**
 * What the agent knows of the cluster, from its own caches, and what it writes there. With the API
 * server away the caches go on answering.
 */
public interface Cluster {
  /** A pod of this node. */
  Optional<Pod> pod(String uid);

  /** All pods of this node. */
  Collection<Pod> pods();

  /**
   * Asks the API server itself for a pod.
   *
   * @throws io.fabric8.kubernetes.client.KubernetesClientException if it does not answer
   */
  Optional<Pod> fetch(String namespace, String name);

  /** What is to become of a pod by its labels, its namespace and the enrollments there. */
  CaptureDecision decide(Pod pod);

  /**
   * The namespaces in which a pod of this node is captured by its own label, or every pod is; not
   * those that are taken in by steps and have not come to the last.
   */
  Set<String> enrolledNamespaces();

  /** Whether there is a mesh. */
  MeshState mesh();

  /**
   * Writes the state of redirection to a pod's annotations, all in one request. A pod that is gone
   * is no error.
   */
  void writeRedirection(Pod pod, Redirection state);

  /** Writes whether this agent's node is clean to the annotation of the agent's own pod. */
  void writeClean(boolean clean);

  /** Tells of something that a person should know about a pod. Never fails. */
  void warn(Pod pod, String reason, String message);
}
