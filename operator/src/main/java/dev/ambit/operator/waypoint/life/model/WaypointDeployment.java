package dev.ambit.operator.waypoint.life.model;

import dev.ambit.api.LogLevel;
import dev.ambit.api.WaypointSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerBuilder;
import io.fabric8.kubernetes.api.model.DownwardAPIVolumeFileBuilder;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarBuilder;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Probe;
import io.fabric8.kubernetes.api.model.ProbeBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.api.model.TopologySpreadConstraint;
import io.fabric8.kubernetes.api.model.TopologySpreadConstraintBuilder;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The Envoys of a waypoint, before parameters change them. */
final class WaypointDeployment {
  /** As Istio calls it, so that parameters that were written for Istio find it. */
  static final String CONTAINER = "istio-proxy";

  /** Whom Envoy runs as. */
  private static final long USER = 65532L;

  /** What an instance has after its drain, to end. */
  private static final long FAREWELL_SECONDS = 15;

  /** From the container's start; its configuration has to arrive. */
  private static final int START_SECONDS = 120;

  /** On pods, before the name of a file: its content. */
  private static final String FILE = "envoy.ambit.dev/";

  private WaypointDeployment() {}

  static Deployment of(WaypointRequest request) {
    Gateway gateway = request.gateway();
    WaypointSpec mesh = request.mesh();
    Map<String, String> podLabels =
        new LinkedHashMap<>(WaypointObjects.infrastructureLabels(gateway));
    podLabels.putAll(WaypointLabels.ofPods(gateway));
    return new DeploymentBuilder()
        .withMetadata(WaypointObjects.metadata(gateway))
        .withNewSpec()
        .withNewSelector()
        .withMatchLabels(WaypointLabels.selector(gateway))
        .endSelector()
        .withNewStrategy()
        .withType("RollingUpdate")
        // Each instance goes only when another has taken its place.
        .withNewRollingUpdate()
        .withMaxSurge(new IntOrString(1))
        .withMaxUnavailable(new IntOrString(0))
        .endRollingUpdate()
        .endStrategy()
        .withNewTemplate()
        .withNewMetadata()
        .withLabels(podLabels)
        .withAnnotations(annotations(request))
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName(gateway.getMetadata().getName())
        // Envoy never asks the API server.
        .withAutomountServiceAccountToken(false)
        .withEnableServiceLinks(false)
        .withNodeSelector(Map.of("kubernetes.io/os", "linux"))
        .withTerminationGracePeriodSeconds(mesh.drainSeconds() + FAREWELL_SECONDS)
        .withNewSecurityContext()
        .withRunAsNonRoot(true)
        .withRunAsUser(USER)
        .withRunAsGroup(USER)
        .withFsGroup(USER)
        .withNewSeccompProfile()
        .withType("RuntimeDefault")
        .endSeccompProfile()
        .endSecurityContext()
        .withTopologySpreadConstraints(
            spread("topology.kubernetes.io/zone", gateway),
            spread("kubernetes.io/hostname", gateway))
        .withContainers(container(request))
        .withVolumes(token(), rootCertificate(), configuration(request))
        .endSpec()
        .endTemplate()
        .endSpec()
        .build();
  }

  private static Map<String, String> annotations(WaypointRequest request) {
    Map<String, String> annotations =
        new LinkedHashMap<>(WaypointObjects.infrastructureAnnotations(request.gateway()));
    annotations.put("kubectl.kubernetes.io/default-container", CONTAINER);
    annotations.put("prometheus.io/scrape", "true");
    annotations.put("prometheus.io/port", String.valueOf(EnvoyBootstrap.METRICS_PORT));
    annotations.put("prometheus.io/path", EnvoyBootstrap.METRICS_PATH);
    request.files().forEach((name, content) -> annotations.put(FILE + name, content));
    return annotations;
  }

  private static Container container(WaypointRequest request) {
    WaypointSpec mesh = request.mesh();
    Gateway gateway = request.gateway();
    return new ContainerBuilder()
        .withName(CONTAINER)
        .withImage(mesh.image())
        .withImagePullPolicy(mesh.imagePullPolicy().text())
        .withCommand("/usr/local/bin/envoy")
        .withArgs(arguments(request))
        .withEnv(
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
            field("INSTANCE_IP", "status.podIP"),
            field("NODE_NAME", "spec.nodeName"),
            field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
            cpuLimit())
        .addNewPort()
        .withName("hbone")
        .withContainerPort(EnvoyBootstrap.HBONE_PORT)
        .withProtocol("TCP")
        .endPort()
        .addNewPort()
        .withName("metrics")
        .withContainerPort(EnvoyBootstrap.METRICS_PORT)
        .withProtocol("TCP")
        .endPort()
        .addNewPort()
        .withName("status-port")
        .withContainerPort(EnvoyBootstrap.READINESS_PORT)
        .withProtocol("TCP")
        .endPort()
        .withStartupProbe(
            new ProbeBuilder(ready())
                .withPeriodSeconds(1)
                .withFailureThreshold(START_SECONDS)
                .build())
        .withReadinessProbe(
            new ProbeBuilder(ready()).withPeriodSeconds(5).withFailureThreshold(3).build())
        .withNewLifecycle()
        .withNewPreStop()
        .withNewHttpGet()
        .withPath(EnvoyDrain.path(gateway.getMetadata().getUid()))
        .withPort(new IntOrString(EnvoyDrain.PORT))
        .withScheme("HTTP")
        .endHttpGet()
        .endPreStop()
        .endLifecycle()
        .withNewSecurityContext()
        .withPrivileged(false)
        .withAllowPrivilegeEscalation(false)
        .withReadOnlyRootFilesystem(true)
        .withRunAsNonRoot(true)
        .withNewCapabilities()
        .withDrop("ALL")
        .endCapabilities()
        .endSecurityContext()
        .withResources(resources(mesh))
        .withVolumeMounts(
            new VolumeMountBuilder()
                .withName("istio-token")
                .withMountPath(EnvoyBootstrap.TOKEN_DIRECTORY)
                .withReadOnly(true)
                .build(),
            new VolumeMountBuilder()
                .withName("root-certificate")
                .withMountPath(EnvoyBootstrap.ROOT_DIRECTORY)
                .withReadOnly(true)
                .build(),
            new VolumeMountBuilder()
                .withName("configuration")
                .withMountPath(EnvoyBootstrap.CONFIGURATION_DIRECTORY)
                .withReadOnly(true)
                .build())
        .build();
  }

  private static List<String> arguments(WaypointRequest request) {
    Gateway gateway = request.gateway();
    WaypointSpec mesh = request.mesh();
    return List.of(
        "--config-path",
        EnvoyBootstrap.CONFIGURATION_DIRECTORY + "/" + EnvoyBootstrap.MAIN_FILE,
        "--config-yaml",
        EnvoyDrain.configuration(gateway.getMetadata().getUid(), mesh.drainSeconds()),
        "--service-cluster",
        gateway.getMetadata().getName() + "." + gateway.getMetadata().getNamespace(),
        "--service-node",
        "waypoint~$(INSTANCE_IP)~$(POD_NAME).$(POD_NAMESPACE)~$(POD_NAMESPACE).svc.cluster.local",
        "--concurrency",
        "$(CPU_LIMIT)",
        "--log-level",
        level(mesh.logLevel()),
        "--drain-time-s",
        mesh.drainSeconds().toString(),
        "--drain-strategy",
        "immediate",
        // There is one Envoy in a pod, and nowhere to write to.
        "--disable-hot-restart");
  }

  private static String level(LogLevel level) {
    return switch (level) {
      case ERROR -> "error";
      case WARN -> "warning";
      case INFO -> "info";
      case DEBUG -> "debug";
      case TRACE -> "trace";
    };
  }

  /** An Envoy that is ready has had all of its configuration. */
  private static Probe ready() {
    return new ProbeBuilder()
        .withNewHttpGet()
        .withPath(EnvoyBootstrap.READINESS_PATH)
        .withPort(new IntOrString(EnvoyBootstrap.READINESS_PORT))
        .withScheme("HTTP")
        .endHttpGet()
        .withTimeoutSeconds(5)
        .withSuccessThreshold(1)
        .build();
  }

  private static EnvVar field(String name, String path) {
    return new EnvVarBuilder()
        .withName(name)
        .withNewValueFrom()
        .withNewFieldRef()
        .withApiVersion("v1")
        .withFieldPath(path)
        .endFieldRef()
        .endValueFrom()
        .build();
  }

  /** As many workers as CPUs may be used, and not as the node has. */
  private static EnvVar cpuLimit() {
    return new EnvVarBuilder()
        .withName("CPU_LIMIT")
        .withNewValueFrom()
        .withNewResourceFieldRef()
        .withContainerName(CONTAINER)
        .withResource("limits.cpu")
        .withDivisor(new Quantity("1"))
        .endResourceFieldRef()
        .endValueFrom()
        .build();
  }

  private static ResourceRequirements resources(WaypointSpec mesh) {
    ResourceRequirements asked = mesh.resources();
    return asked != null
        ? asked
        : new ResourceRequirementsBuilder()
            .addToRequests("cpu", new Quantity("100m"))
            .addToRequests("memory", new Quantity("128Mi"))
            .addToLimits("cpu", new Quantity("2"))
            .addToLimits("memory", new Quantity("1Gi"))
            .build();
  }

  private static TopologySpreadConstraint spread(String topologyKey, Gateway gateway) {
    return new TopologySpreadConstraintBuilder()
        .withMaxSkew(1)
        .withTopologyKey(topologyKey)
        .withWhenUnsatisfiable("ScheduleAnyway")
        .withNewLabelSelector()
        .withMatchLabels(WaypointLabels.selector(gateway))
        .endLabelSelector()
        // Those that are about to go do not count.
        .withMatchLabelKeys("pod-template-hash")
        .build();
  }

  private static Volume token() {
    return new VolumeBuilder()
        .withName("istio-token")
        .withNewProjected()
        .withDefaultMode(0440)
        .addNewSource()
        .withNewServiceAccountToken()
        .withAudience(EnvoyBootstrap.TOKEN_AUDIENCE)
        .withExpirationSeconds(43200L)
        .withPath(EnvoyBootstrap.TOKEN_FILE)
        .endServiceAccountToken()
        .endSource()
        .endProjected()
        .build();
  }

  /**
   * Files out of the pod's own annotations: another configuration is another pod template, so that
   * it is rolled out as everything else is.
   */
  private static Volume configuration(WaypointRequest request) {
    return new VolumeBuilder()
        .withName("configuration")
        .withNewDownwardAPI()
        .withDefaultMode(0444)
        .withItems(
            request.files().keySet().stream()
                .sorted()
                .map(
                    name ->
                        new DownwardAPIVolumeFileBuilder()
                            .withPath(name)
                            .withNewFieldRef()
                            .withApiVersion("v1")
                            .withFieldPath("metadata.annotations['" + FILE + name + "']")
                            .endFieldRef()
                            .build())
                .toList())
        .endDownwardAPI()
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
