package dev.ambit.operator.install.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AgentSpec;
import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.CniSpec;
import dev.ambit.api.ImagePullPolicy;
import dev.ambit.api.LogLevel;
import dev.ambit.api.ZtunnelSpec;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarBuilder;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NodeComponentsTest {
  private static AmbientMesh mesh() {
    return mesh(false);
  }

  private static AmbientMesh mesh(boolean udp) {
    var mesh = new AmbientMesh();
    mesh.setMetadata(new ObjectMetaBuilder().withName("default").withUid("u-1").build());
    mesh.setSpec(
        new AmbientMeshSpec(
            null,
            List.of("old.example.org", "older.example.org"),
            null,
            null,
            null,
            null,
            null,
            udp,
            null,
            new ZtunnelSpec(
                "registry/ztunnel:1",
                ImagePullPolicy.ALWAYS,
                new ResourceRequirementsBuilder()
                    .addToLimits("memory", new Quantity("1Gi"))
                    .build(),
                List.of(new EnvVarBuilder().withName("CLUSTER_ID").withValue("west").build()),
                LogLevel.DEBUG,
                60),
            null,
            new AgentSpec("registry/agent:1", null, null, null, null),
            new CniSpec("/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/cni"),
            null,
            null));
    return mesh;
  }

  @Test
  void whereUdpIsCarriedTheZtunnelMayDoWhatThatTakes() {
    var without = container(ZtunnelDaemonSet.of(mesh(false), "ambit-system"));
    var with = container(ZtunnelDaemonSet.of(mesh(true), "ambit-system"));

    assertThat(without.getEnv()).noneMatch(variable -> variable.getName().equals("UDP_ENABLED"));
    assertThat(with.getEnv())
        .anyMatch(
            variable ->
                variable.getName().equals("UDP_ENABLED") && variable.getValue().equals("true"));
    assertThat(with.getSecurityContext().getCapabilities().getAdd())
        .containsExactlyInAnyOrder("NET_ADMIN", "SYS_ADMIN", "NET_BIND_SERVICE", "NET_RAW");
  }

  static List<DaemonSet> both() {
    return List.of(
        ZtunnelDaemonSet.of(mesh(), "ambit-system"), AgentDaemonSet.of(mesh(), "ambit-system"));
  }

  private static Container container(DaemonSet daemonSet) {
    return daemonSet.getSpec().getTemplate().getSpec().getContainers().getFirst();
  }

  private static Map<String, String> environment(DaemonSet daemonSet) {
    return container(daemonSet).getEnv().stream()
        .collect(
            Collectors.toMap(
                EnvVar::getName,
                variable -> Objects.requireNonNullElse(variable.getValue(), "(field)")));
  }

  @ParameterizedTest
  @MethodSource("both")
  void runsOnEveryNodeAheadOfWorkloadsAndUnprivileged(DaemonSet daemonSet) {
    var pod = daemonSet.getSpec().getTemplate().getSpec();
    assertThat(pod.getTolerations())
        .singleElement()
        .satisfies(toleration -> assertThat(toleration.getOperator()).isEqualTo("Exists"));
    assertThat(pod.getPriorityClassName()).isEqualTo("system-node-critical");
    var security = container(daemonSet).getSecurityContext();
    assertThat(security.getPrivileged()).isFalse();
    assertThat(security.getReadOnlyRootFilesystem()).isTrue();
    assertThat(security.getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(security.getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
    assertThat(daemonSet.getSpec().getTemplate().getMetadata().getLabels())
        .containsAllEntriesOf(daemonSet.getSpec().getSelector().getMatchLabels());
    assertThat(daemonSet.getMetadata().getOwnerReferences())
        .singleElement()
        .satisfies(owner -> assertThat(owner.getUid()).isEqualTo("u-1"));
    assertThat(container(daemonSet).getVolumeMounts())
        .allSatisfy(
            mount ->
                assertThat(pod.getVolumes())
                    .anyMatch(volume -> volume.getName().equals(mount.getName())));
  }

  @Test
  void ztunnelGetsWhatIstiosDoesByTheSameNames() {
    var ztunnel = both().getFirst();
    assertThat(environment(ztunnel))
        .containsEntry("XDS_ADDRESS", "https://ambit-operator.ambit-system.svc:15012")
        .containsEntry("CA_ADDRESS", "https://ambit-operator.ambit-system.svc:15012")
        .containsEntry("XDS_ROOT_CA", "/var/run/secrets/istio/root-cert.pem")
        .containsEntry("INPOD_UDS", "/var/run/ztunnel/ztunnel.sock")
        .containsEntry("TERMINATION_GRACE_PERIOD_SECONDS", "60")
        .containsEntry("CLUSTER_ID", "west")
        .containsEntry("SECRET_TTL", "24h")
        .containsKeys("NODE_NAME", "POD_NAME", "POD_NAMESPACE", "INSTANCE_IP", "SERVICE_ACCOUNT");
    var rolling = ztunnel.getSpec().getUpdateStrategy().getRollingUpdate();
    assertThat(rolling.getMaxSurge().getIntVal()).as("new beside old").isEqualTo(1);
    assertThat(rolling.getMaxUnavailable().getIntVal()).isZero();
    var pod = ztunnel.getSpec().getTemplate().getSpec();
    assertThat(pod.getTerminationGracePeriodSeconds()).isEqualTo(60);
    assertThat(pod.getHostNetwork()).isNull();
    assertThat(container(ztunnel).getImage()).isEqualTo("registry/ztunnel:1");
    assertThat(container(ztunnel).getImagePullPolicy()).isEqualTo("Always");
    assertThat(container(ztunnel).getResources().getLimits()).containsKey("memory");
    assertThat(container(ztunnel).getSecurityContext().getRunAsGroup()).isEqualTo(1337);
  }

  @Test
  void ztunnelGoesByTheMeshsAliasesAndRevocationLists() {
    var ztunnel = both().getFirst();
    assertThat(environment(ztunnel))
        .containsEntry("TRUST_DOMAIN_ALIASES", "old.example.org,older.example.org")
        .containsEntry("CRL_PATH", "/var/run/secrets/istio-crl");
    assertThat(ztunnel.getSpec().getTemplate().getSpec().getVolumes())
        .filteredOn(volume -> volume.getName().equals("revocations"))
        .singleElement()
        .satisfies(
            volume -> {
              assertThat(volume.getConfigMap().getName()).isEqualTo("ambit-ca-crl");
              assertThat(volume.getConfigMap().getOptional()).isTrue();
            });
    var plain = new AmbientMesh();
    plain.setMetadata(new ObjectMetaBuilder().withName("default").withUid("u").build());
    assertThat(environment(ZtunnelDaemonSet.of(plain, "ambit-system")))
        .doesNotContainKey("TRUST_DOMAIN_ALIASES");
  }

  @Test
  void neitherHasMoreThanItUses() {
    for (DaemonSet daemonSet : both()) {
      var security = container(daemonSet).getSecurityContext();
      assertThat(security.getPrivileged()).isFalse();
      assertThat(security.getAllowPrivilegeEscalation()).isFalse();
      assertThat(security.getReadOnlyRootFilesystem()).isTrue();
      assertThat(security.getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
      assertThat(security.getCapabilities().getDrop()).containsExactly("ALL");
      assertThat(security.getCapabilities().getAdd())
          .containsExactlyInAnyOrder("NET_ADMIN", "SYS_ADMIN");
    }
    var ztunnel = both().getFirst().getSpec().getTemplate().getSpec();
    assertThat(ztunnel.getAutomountServiceAccountToken()).isFalse();
  }

  @Test
  void theAgentFindsTheNodesCniDirectories() {
    var agent = both().getLast();
    var pod = agent.getSpec().getTemplate().getSpec();
    assertThat(pod.getHostNetwork()).isTrue();
    assertThat(pod.getVolumes())
        .filteredOn(volume -> volume.getHostPath() != null)
        .extracting(volume -> volume.getHostPath().getPath())
        .contains("/var/lib/rancher/k3s/data/cni", "/var/lib/rancher/k3s/agent/cni");
    assertThat(environment(agent))
        .containsEntry("HOST_CNI_BIN_DIR", "/var/lib/rancher/k3s/data/cni")
        .containsEntry("CNI_BIN_DIR", "/host/cni/bin")
        .containsEntry("CNI_CONF_DIR", "/host/cni/conf");
    assertThat(container(agent).getResources().getRequests()).containsKeys("cpu", "memory");
  }
}
