package dev.ambit.ztunnel.state;

/**
 * A pod of this node, as the node agent hands it over.
 *
 * @param uid the pod's Kubernetes UID
 * @param name the pod's name
 * @param namespace the pod's namespace
 * @param serviceAccount the pod's service account
 * @param joining whether it ran before it was handed over: until its identity can be proven, what
 *     it sends goes on as if there were no mesh
 */
public record LocalPod(
    String uid, String name, String namespace, String serviceAccount, boolean joining) {
  /** A pod that is in the mesh from the start. */
  public LocalPod(String uid, String name, String namespace, String serviceAccount) {
    this(uid, name, namespace, serviceAccount, false);
  }
}
