package dev.ambit.operator.install.model;

import dev.ambit.api.AgentSpec;
import dev.ambit.api.AmbientMesh;
import dev.ambit.api.CniSpec;
import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.ProbeBuilder;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.DaemonSetBuilder;
import java.util.List;
import java.util.Map;

/** The agent of each node. */
public final class AgentDaemonSet {
  public static final String NAME = "ambit-agent";
  static final String SERVICE_ACCOUNT = "ambit-agent";

  /** On the node's own addresses, since the agent has no network of its own. */
  public static final int HTTP_PORT = 15019;

  private static final String BINARIES = "/host/cni/bin";
  private static final String CONFIGURATIONS = "/host/cni/conf";

  private AgentDaemonSet() {}

  /** The DaemonSet that this mesh asks for. */
  public static DaemonSet of(AmbientMesh mesh, String rootNamespace) {
    AgentSpec spec = mesh.effectiveSpec().agent();
    CniSpec cni = mesh.effectiveSpec().cni();
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
        // Two agents of one node would listen at the same addresses.
        .withNewRollingUpdate()
        .withMaxSurge(new IntOrString(0))
        .withMaxUnavailable(new IntOrString(1))
        .endRollingUpdate()
        .endUpdateStrategy()
        .withNewTemplate()
        .withNewMetadata()
        .withLabels(CommonLabels.of(NAME))
        .withAnnotations(
            Map.of("prometheus.io/scrape", "true", "prometheus.io/port", String.valueOf(HTTP_PORT)))
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName(SERVICE_ACCOUNT)
        .withHostNetwork(true)
        .withDnsPolicy("ClusterFirstWithHostNet")
        .withNodeSelector(Map.of("kubernetes.io/os", "linux"))
        .withTolerations(NodeComponent.everyNode())
        .withPriorityClassName(NodeComponent.PRIORITY_CLASS)
        .withTerminationGracePeriodSeconds(10L)
        .withContainers(container(spec, cni))
        .withVolumes(
            NodeComponent.hostPath("ztunnel-socket", NodeComponent.SOCKET_DIRECTORY),
            NodeComponent.hostPath("network-namespaces", "/var/run/netns"),
            NodeComponent.hostPath("cni-socket", "/var/run/ambit"),
            NodeComponent.hostPath("state", "/var/lib/ambit"),
            NodeComponent.hostPath("cni-binaries", cni.binDir()),
            NodeComponent.hostPath("cni-configurations", cni.confDir()),
            NodeComponent.emptyDirectory("tmp"))
        .endSpec()
        .endTemplate()
        .endSpec()
        .build();
  }

  private static Container container(AgentSpec spec, CniSpec cni) {
    return new ContainerBuilder()
        .withName("agent")
        .withImage(spec.image())
        .withImagePullPolicy(spec.imagePullPolicy().text())
        .withEnv(NodeComponent.merge(environment(spec, cni), spec.env()))
        .withReadinessProbe(probe("/readyz").withPeriodSeconds(2).withTimeoutSeconds(5).build())
        .withLivenessProbe(
            probe("/healthz")
                .withInitialDelaySeconds(30)
                .withPeriodSeconds(10)
                .withTimeoutSeconds(5)
                .withFailureThreshold(6)
                .build())
        // setns into pods' network namespaces (SYS_ADMIN) and nftables, rules and routes there
        // (NET_ADMIN).
        .withNewSecurityContext()
        .withPrivileged(false)
        .withAllowPrivilegeEscalation(false)
        .withReadOnlyRootFilesystem(true)
        .withRunAsUser(0L)
        .withRunAsGroup(0L)
        .withRunAsNonRoot(false)
        .withNewSeccompProfile()
        .withType("RuntimeDefault")
        .endSeccompProfile()
        .withNewCapabilities()
        .withDrop("ALL")
        .withAdd("NET_ADMIN", "SYS_ADMIN")
        .endCapabilities()
        .endSecurityContext()
        .withResources(NodeComponent.orElse(spec.resources(), "20m", "128Mi"))
        .withVolumeMounts(
            NodeComponent.mount("ztunnel-socket", NodeComponent.SOCKET_DIRECTORY),
            new VolumeMountBuilder()
                .withName("network-namespaces")
                .withMountPath("/var/run/netns")
                // Namespaces are mounted there while the agent runs.
                .withMountPropagation("HostToContainer")
                .build(),
            NodeComponent.mount("cni-socket", "/var/run/ambit"),
            NodeComponent.mount("state", "/var/lib/ambit"),
            NodeComponent.mount("cni-binaries", BINARIES),
            NodeComponent.mount("cni-configurations", CONFIGURATIONS),
            NodeComponent.mount("tmp", "/tmp"))
        .build();
  }

  private static ProbeBuilder probe(String path) {
    return new ProbeBuilder()
        .withNewHttpGet()
        .withPath(path)
        .withPort(new IntOrString(HTTP_PORT))
        .endHttpGet();
  }

  private static List<EnvVar> environment(AgentSpec spec, CniSpec cni) {
    return List.of(
        NodeComponent.variable("CNI_BIN_DIR", BINARIES),
        NodeComponent.variable("CNI_CONF_DIR", CONFIGURATIONS),
        NodeComponent.variable("HOST_CNI_BIN_DIR", cni.binDir()),
        NodeComponent.variable("HOST_CNI_CONF_DIR", cni.confDir()),
        NodeComponent.variable("LOG_LEVEL", spec.logLevel().text()),
        NodeComponent.field("NODE_NAME", "spec.nodeName"),
        NodeComponent.field("POD_NAME", "metadata.name"),
        NodeComponent.field("POD_NAMESPACE", "metadata.namespace"),
        NodeComponent.field("HOST_IP", "status.hostIP"));
  }
}
