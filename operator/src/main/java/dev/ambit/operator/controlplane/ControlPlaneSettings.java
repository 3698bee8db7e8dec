package dev.ambit.operator.controlplane;

import dev.ambit.operator.xds.XdsSettings;
import java.time.Duration;
import java.util.List;
import java.util.Set;

/**
 * How this replica serves.
 *
 * @param rootNamespace the operator's own namespace
 * @param service the operator's Service, whose DNS names the server's certificate carries
 * @param account the operator's service account
 * @param port for gRPC over TLS; 0 takes any free one
 * @param trustedNodeAccounts "namespace/account" of those that may ask for their pods'
 *     certificates, and for the mesh
 * @param quiet without a change before changes are pushed
 * @param longest from a change to its push
 */
public record ControlPlaneSettings(
    String rootNamespace,
    String service,
    String account,
    String clusterDomain,
    String clusterId,
    int port,
    Set<String> trustedNodeAccounts,
    Duration quiet,
    Duration longest,
    XdsSettings xds) {

  /** As the chart installs it. */
  public static ControlPlaneSettings of(String rootNamespace) {
    return new ControlPlaneSettings(
        rootNamespace,
        "ambit-operator",
        "ambit-operator",
        "cluster.local",
        "Kubernetes",
        15012,
        Set.of(rootNamespace + "/ztunnel"),
        Duration.ofMillis(20),
        Duration.ofSeconds(1),
        XdsSettings.DEFAULT);
  }

  /** The same, on another port. */
  public ControlPlaneSettings withPort(int port) {
    return new ControlPlaneSettings(
        rootNamespace,
        service,
        account,
        clusterDomain,
        clusterId,
        port,
        trustedNodeAccounts,
        quiet,
        longest,
        xds);
  }

  List<String> dnsNames() {
    String name = service + "." + rootNamespace;
    return List.of(name + ".svc", name + ".svc." + clusterDomain, name, service);
  }
}
