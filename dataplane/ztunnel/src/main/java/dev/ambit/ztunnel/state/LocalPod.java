package dev.ambit.ztunnel.state;

/**
 * A pod of this node, as the node agent hands it over.
 *
 * @param uid the pod's Kubernetes UID
 * @param name the pod's name
 * @param namespace the pod's namespace
 * @param serviceAccount the pod's service account
 */
public record LocalPod(String uid, String name, String namespace, String serviceAccount) {}
