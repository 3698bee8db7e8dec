package dev.ambit.operator.install.model;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.api.ZtunnelSpec;
import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The proxy of each node. */
public final class ZtunnelDaemonSet {
  public static final String NAME = "ambit-ztunnel";
  static final String SERVICE_ACCOUNT = "ztunnel";

  private static final String TOKEN_DIRECTORY = "/var/run/secrets/tokens";
  private static final String ROOT_DIRECTORY = "/var/run/secrets/istio";
  private static final String REVOCATION_DIRECTORY = "/var/run/secrets/istio-crl";
  private static final String ROOT_FILE = ROOT_DIRECTORY + "/" + WellKnown.ROOT_CERTIFICATE_KEY;

  private ZtunnelDaemonSet() {}

  /** The DaemonSet that this mesh asks for. */
  public static DaemonSet of(AmbientMesh mesh, String rootNamespace) {
    ZtunnelSpec spec = mesh.effectiveSpec().ztunnel();
    return new DaemonSetBuilder()
        .withNewMetadata()
        .withName(NAME)
        .withNamespace(rootNamespace)
        .withLabels(CommonLabels.of(NAME))
        .withOwnerReferences(NodeComponent.owner(mesh))
        .endMetadata()
        .withNewSpec()
        .withNewSelector()
        .withMatchLabels(NodeComponent.selector(NAME))
        .endSelector()
        .withNewUpdateStrategy()
        .withType("RollingUpdate")
        // The new proxy listens beside the old one in every pod before the old one stops.
        .withNewRollingUpdate()
        .withMaxSurge(new IntOrString(1))
        .withMaxUnavailable(new IntOrString(0))
        .endRollingUpdate()
        .endUpdateStrategy()
        .withNewTemplate()
        .withNewMetadata()
        .withLabels(CommonLabels.of(NAME))
        .withAnnotations(Map.of("prometheus.io/scrape", "true", "prometheus.io/port", "15020"))
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName(SERVICE_ACCOUNT)
        .withAutomountServiceAccountToken(false)
        .withNodeSelector(Map.of("kubernetes.io/os", "linux"))
        .withTolerations(NodeComponent.everyNode())
        .withPriorityClassName(NodeComponent.PRIORITY_CLASS)
        .withTerminationGracePeriodSeconds(spec.terminationGracePeriodSeconds().longValue())
        .withContainers(container(mesh.effectiveSpec(), rootNamespace))
        .withVolumes(
            token(),
            rootCertificate(),
            revocations(),
            NodeComponent.hostPath("ztunnel-socket", NodeComponent.SOCKET_DIRECTORY),
            NodeComponent.emptyDirectory("tmp"))
        .endSpec()
        .endTemplate()
        .endSpec()
        .build();
  }

  private static Container container(AmbientMeshSpec mesh, String rootNamespace) {
    ZtunnelSpec spec = mesh.ztunnel();
    return new ContainerBuilder()
        .withName("ztunnel")
        .withImage(spec.image())
        .withImagePullPolicy(spec.imagePullPolicy().text())
        .withEnv(NodeComponent.merge(environment(mesh, rootNamespace), spec.env()))
        .addNewPort()
        .withName("http-metrics")
        .withContainerPort(15020)
        .withProtocol("TCP")
        .endPort()
        .addNewPort()
        .withName("readiness")
        .withContainerPort(15021)
        .withProtocol("TCP")
        .endPort()
        .withNewReadinessProbe()
        .withNewHttpGet()
        .withPath("/healthz/ready")
        .withPort(new IntOrString(15021))
        .endHttpGet()
        .withPeriodSeconds(2)
        .withTimeoutSeconds(5)
        .endReadinessProbe()
        // setns into pods' network namespaces (SYS_ADMIN), sockets that are marked or bound to a
        // client's address (NET_ADMIN).
        .withNewSecurityContext()
        .withPrivileged(false)
        .withAllowPrivilegeEscalation(false)
        .withReadOnlyRootFilesystem(true)
        .withRunAsUser(0L)
        .withRunAsGroup(1337L)
        .withRunAsNonRoot(false)
        .withNewSeccompProfile()
        .withType("RuntimeDefault")
        .endSeccompProfile()
        .withNewCapabilities()
        .withDrop("ALL")
        .withAdd(capabilities(mesh))
        .endCapabilities()
        .endSecurityContext()
        .withResources(NodeComponent.orElse(spec.resources(), "50m", "128Mi"))
        .withVolumeMounts(
            NodeComponent.mount("istio-token", TOKEN_DIRECTORY),
            NodeComponent.mount("root-certificate", ROOT_DIRECTORY),
            NodeComponent.mount("revocations", REVOCATION_DIRECTORY),
            NodeComponent.mount("ztunnel-socket", NodeComponent.SOCKET_DIRECTORY),
            NodeComponent.mount("tmp", "/tmp"))
        .build();
  }

  /**
   * UDP takes two more: sockets that answer in the name of ports below 1024, and the message that
   * nobody is at a port.
   */
  private static List<String> capabilities(AmbientMeshSpec mesh) {
    return mesh.udp()
        ? List.of("NET_ADMIN", "SYS_ADMIN", "NET_BIND_SERVICE", "NET_RAW")
        : List.of("NET_ADMIN", "SYS_ADMIN");
  }

  private static List<EnvVar> environment(AmbientMeshSpec mesh, String rootNamespace) {
    ZtunnelSpec spec = mesh.ztunnel();
    String controlPlane = "https://ambit-operator." + rootNamespace + ".svc:15012";
    List<EnvVar> aliases =
        mesh.trustDomainAliases().isEmpty()
            ? List.of()
            : List.of(
                NodeComponent.variable(
                    "TRUST_DOMAIN_ALIASES", String.join(",", mesh.trustDomainAliases())));
    List<EnvVar> udp =
        mesh.udp() ? List.of(NodeComponent.variable("UDP_ENABLED", "true")) : List.of();
    return Stream.of(environment(mesh, spec, controlPlane), aliases, udp)
        .flatMap(List::stream)
        .toList();
  }

  private static List<EnvVar> environment(
      AmbientMeshSpec mesh, ZtunnelSpec spec, String controlPlane) {
    return List.of(
        NodeComponent.variable("XDS_ADDRESS", controlPlane),
        NodeComponent.variable("CA_ADDRESS", controlPlane),
        NodeComponent.variable("XDS_ROOT_CA", ROOT_FILE),
        NodeComponent.variable("CA_ROOT_CA", ROOT_FILE),
        NodeComponent.variable("CRL_PATH", REVOCATION_DIRECTORY),
        NodeComponent.variable("AUTH_TOKEN", TOKEN_DIRECTORY + "/istio-token"),
        NodeComponent.variable("INPOD_UDS", NodeComponent.SOCKET_DIRECTORY + "/ztunnel.sock"),
        NodeComponent.variable("CLUSTER_ID", "Kubernetes"),
        NodeComponent.variable("SECRET_TTL", mesh.workloadCertificate().ttl()),
        NodeComponent.variable(
            "TERMINATION_GRACE_PERIOD_SECONDS", spec.terminationGracePeriodSeconds().toString()),
        NodeComponent.variable("LOG_LEVEL", spec.logLevel().text()),
        NodeComponent.field("POD_NAME", "metadata.name"),
        NodeComponent.field("POD_NAMESPACE", "metadata.namespace"),
        NodeComponent.field("NODE_NAME", "spec.nodeName"),
        NodeComponent.field("INSTANCE_IP", "status.podIP"),
        NodeComponent.field("SERVICE_ACCOUNT", "spec.serviceAccountName"));
  }

  private static Volume token() {
    return new VolumeBuilder()
        .withName("istio-token")
        .withNewProjected()
        .withDefaultMode(0400)
        .addNewSource()
        .withNewServiceAccountToken()
        .withAudience("istio-ca")
        .withExpirationSeconds(43200L)
        .withPath("istio-token")
        .endServiceAccountToken()
        .endSource()
        .endProjected()
        .build();
  }

  /** Most meshes revoke nothing, and have no such ConfigMap. */
  private static Volume revocations() {
    return new VolumeBuilder()
        .withName("revocations")
        .withNewConfigMap()
        .withName(WellKnown.REVOCATION_CONFIG_MAP)
        .withOptional(true)
        .withDefaultMode(0444)
        .endConfigMap()
        .build();
  }

  private static Volume rootCertificate() {
    return new VolumeBuilder()
        .withName("root-certificate")
        .withNewConfigMap()
        .withName(WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
        .withDefaultMode(0444)
        .endConfigMap()
        .build();
  }
}
