package dev.ambit.operator.model;

/**
 * What the whole mesh agrees on, as far as translation turns on it.
 *
 * @param strict whether AmbientMesh asks for strict mTLS everywhere
 */
public record MeshSettings(
    String trustDomain,
    String rootNamespace,
    String clusterDomain,
    String clusterId,
    boolean strict) {
  /** Of the workload API: what an empty trust domain stands for. */
  static final String DEFAULT_TRUST_DOMAIN = "cluster.local";

  /** With Kubernetes' usual names. */
  public static MeshSettings of(String trustDomain, String rootNamespace) {
    return new MeshSettings(trustDomain, rootNamespace, "cluster.local", "Kubernetes", false);
  }

  /** The same, with that answer to whether all of the mesh is strict. */
  public MeshSettings withStrict(boolean strict) {
    return new MeshSettings(trustDomain, rootNamespace, clusterDomain, clusterId, strict);
  }

  String hostname(String namespace, String service) {
    return service + "." + namespace + ".svc." + clusterDomain;
  }

  /** A service's resource name. */
  String serviceName(String namespace, String service) {
    return namespace + "/" + hostname(namespace, service);
  }

  /** As it stands in the workload API. */
  String wireTrustDomain() {
    return trustDomain.equals(DEFAULT_TRUST_DOMAIN) ? "" : trustDomain;
  }
}
