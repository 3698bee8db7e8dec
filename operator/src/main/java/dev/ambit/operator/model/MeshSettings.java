package dev.ambit.operator.model;

import java.util.List;

/**
 * What the whole mesh agrees on, as far as translation turns on it.
 *
 * @param trustDomainAliases other names of the trust domain, in policies and in peers' certificates
 * @param strict whether AmbientMesh asks for strict mTLS everywhere
 * @param datagrams whether UDP is carried to captured pods
 */
public record MeshSettings(
    String trustDomain,
    List<String> trustDomainAliases,
    String rootNamespace,
    String clusterDomain,
    String clusterId,
    boolean strict,
    boolean datagrams) {
  /** Of the workload API: what an empty trust domain stands for. */
  static final String DEFAULT_TRUST_DOMAIN = "cluster.local";

  /** With Kubernetes' usual names. */
  public static MeshSettings of(String trustDomain, String rootNamespace) {
    return new MeshSettings(
        trustDomain, List.of(), rootNamespace, "cluster.local", "Kubernetes", false, false);
  }

  /** The same, with that answer to whether all of the mesh is strict. */
  public MeshSettings withStrict(boolean strict) {
    return new MeshSettings(
        trustDomain,
        trustDomainAliases,
        rootNamespace,
        clusterDomain,
        clusterId,
        strict,
        datagrams);
  }

  /** Its trust domain under all names. */
  public TrustDomains trustDomains() {
    return new TrustDomains(trustDomain, trustDomainAliases);
  }

  /** By which the mesh knows a Service. */
  public String hostname(String namespace, String service) {
    return service + "." + namespace + ".svc." + clusterDomain;
  }

  /** A service's resource name. */
  String serviceName(String namespace, String service) {
    return namespace + "/" + hostname(namespace, service);
  }

  /** The resource name of a service of that host name. */
  static String hostKey(String namespace, String hostname) {
    return namespace + "/" + hostname;
  }

  /** As it stands in the workload API. */
  String wireTrustDomain() {
    return trustDomain.equals(DEFAULT_TRUST_DOMAIN) ? "" : trustDomain;
  }
}
