package dev.ambit.agent.cni;

import dev.ambit.agent.cluster.Cluster;
import dev.ambit.agent.cluster.MeshState;
import dev.ambit.capture.CaptureDecision;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides over a pod that is about to start. One that should be captured is, before its first
 * container runs, or does not start; every other pod passes at once.
 */
public final class CniAdd {
  private static final Logger LOG = LoggerFactory.getLogger(CniAdd.class);

  /** CNI's code for a configuration that the plugin cannot work with. */
  private static final int INVALID_CONFIGURATION = 7;

  /** CNI's code for a condition that passes: the runtime tries again. */
  private static final int TRY_AGAIN_LATER = 11;

  /** Annotation of the API server's copy of a pod that the kubelet runs from a file. */
  private static final String MIRROR = "kubernetes.io/config.mirror";

  private final Cluster cluster;
  private final NewPods newPods;
  private final Duration within;

  /**
   * Prepares to answer.
   *
   * @param within how long the pod may wait for the ztunnel
   */
  public CniAdd(Cluster cluster, NewPods newPods, Duration within) {
    this.cluster = cluster;
    this.newPods = newPods;
    this.within = within;
  }

  /** The answer to one request. */
  public CniReply answer(CniRequest request) {
    String result;
    try {
      var previous = NetworkConfiguration.previousResult(request.configuration());
      if (!request.command().equals("ADD") || previous.isEmpty()) {
        return NetworkConfiguration.error(
            request.configuration(),
            INVALID_CONFIGURATION,
            "ambit-cni works after other plugins: it needs the command ADD and a prevResult");
      }
      result = previous.get();
    } catch (IOException e) {
      return NetworkConfiguration.error(
          "{}",
          INVALID_CONFIGURATION,
          "ambit-cni cannot read its configuration: " + e.getMessage());
    }
    var namespace = request.argument("K8S_POD_NAMESPACE");
    var name = request.argument("K8S_POD_NAME");
    if (namespace == null || name == null || namespace.isEmpty() || name.isEmpty()) {
      // No pod of Kubernetes.
      return new CniReply(true, result);
    }
    try {
      captureIfWanted(namespace, name, request);
      return new CniReply(true, result);
    } catch (IOException | RuntimeException e) {
      return refused(namespace, name, request, result, e);
    }
  }

  private void captureIfWanted(String namespace, String name, CniRequest request)
      throws IOException {
    if (!(cluster.mesh() instanceof MeshState.Present)) {
      return;
    }
    var uid = request.argument("K8S_POD_UID");
    var pod = find(namespace, name, uid == null ? "" : uid);
    if (pod.isEmpty()) {
      if (cluster.enrolledNamespaces().contains(namespace)) {
        throw new IOException("the API server does not know this pod, or has another by its name");
      }
      return;
    }
    switch (cluster.decide(pod.get())) {
      case CaptureDecision.Held held -> {}
      case CaptureDecision.Excluded excluded -> {}
      case CaptureDecision.NotEnrolled notEnrolled -> {}
      case CaptureDecision.Captured captured ->
          newPods.capture(
              pod.get(),
              request.network(),
              NetworkConfiguration.addresses(request.configuration()),
              within);
    }
  }

  private Optional<Pod> find(String namespace, String name, String uid) {
    var cached = cluster.pod(uid);
    if (cached.isPresent()) {
      return cached;
    }
    return cluster.fetch(namespace, name).filter(pod -> uid.isEmpty() || isThis(pod, uid));
  }

  private static boolean isThis(Pod pod, String uid) {
    var annotations = pod.getMetadata().getAnnotations();
    return uid.equals(pod.getMetadata().getUid())
        || uid.equals((annotations == null ? Map.<String, String>of() : annotations).get(MIRROR));
  }

  /** A failure holds a pod back only where its namespace is in the mesh, or it is known to be. */
  private CniReply refused(
      String namespace, String name, CniRequest request, String result, Exception cause) {
    boolean unknown = cause instanceof KubernetesClientException;
    if (unknown && !cluster.enrolledNamespaces().contains(namespace)) {
      LOG.atWarn()
          .addKeyValue("namespace", namespace)
          .addKeyValue("name", name)
          .addKeyValue("reason", cause.getMessage())
          .log(
              "the API server does not answer: the pod starts, as its namespace is not in the mesh");
      return new CniReply(true, result);
    }
    var log =
        LOG.atWarn()
            .addKeyValue("namespace", namespace)
            .addKeyValue("name", name)
            .addKeyValue("reason", cause.getMessage());
    (cause instanceof IOException || unknown ? log : log.setCause(cause))
        .log("the pod is held back, since its traffic cannot be captured yet");
    return NetworkConfiguration.error(
        request.configuration(),
        TRY_AGAIN_LATER,
        "pod %s/%s is in the mesh but cannot be captured yet: %s"
            .formatted(namespace, name, cause.getMessage()));
  }
}
