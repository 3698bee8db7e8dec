package dev.ambit.operator.waypoint.life.model;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.ambit.api.WaypointAutoscaling;
import dev.ambit.api.WaypointSpec;
import dev.ambit.operator.waypoint.model.EnvoyBootstrap;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.ObjectMeta;
import io.fabric8.kubernetes.api.model.ObjectMetaBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.ServiceAccountBuilder;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.ServicePortBuilder;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.DeploymentBuilder;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscalerBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudgetBuilder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a waypoint consists of, all under the Gateway's own name.
 *
 * @param autoscaler nothing where the number of instances is fixed
 * @param initialReplicas how many instances there are before an autoscaler has looked
 */
public record WaypointObjects(
    ServiceAccount serviceAccount,
    Deployment deployment,
    Service service,
    Optional<PodDisruptionBudget> disruptionBudget,
    Optional<HorizontalPodAutoscaler> autoscaler,
    int initialReplicas) {
  /** What of a Deployment comes from the mesh's defaults and from Ambit, as a digest. */
  public static final String REVISION = "ambit.dev/waypoint-revision";

  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * The objects that a Gateway asks for.
   *
   * @throws InvalidParametersException where its parameters, or its class's, cannot be used
   */
  public static WaypointObjects of(WaypointRequest request) throws InvalidParametersException {
    Gateway gateway = request.gateway();
    WaypointSpec mesh = request.mesh();
    Deployment byMesh = deployment(WaypointDeployment.of(request), true, request);
    Deployment deployment = deployment(byMesh, false, request);
    deployment
        .getMetadata()
        .getAnnotations()
        .put(REVISION, digest(byMesh.getSpec().getTemplate().getSpec(), request.files()));
    boolean asksForAutoscaler =
        request.parameters().stream()
            .anyMatch(each -> each.patches().containsKey(WaypointParameters.AUTOSCALER));
    boolean fixed = deployment.getSpec().getReplicas() != null && !asksForAutoscaler;
    Optional<HorizontalPodAutoscaler> autoscaler =
        fixed || (mesh.replicas() != null && !asksForAutoscaler)
            ? Optional.empty()
            : changed(
                autoscaler(gateway, mesh),
                HorizontalPodAutoscaler.class,
                WaypointParameters.AUTOSCALER,
                request.parameters());
    int initial = initialReplicas(deployment, mesh, autoscaler.orElse(null));
    deployment.getSpec().setReplicas(autoscaler.isPresent() ? null : Integer.valueOf(initial));
    ServiceAccount account =
        changed(
                serviceAccount(gateway),
                ServiceAccount.class,
                WaypointParameters.SERVICE_ACCOUNT,
                request.parameters())
            .orElseThrow(() -> cannotBeLeftOut(WaypointParameters.SERVICE_ACCOUNT));
    Service service =
        changed(
                service(gateway, request.listeners()),
                Service.class,
                WaypointParameters.SERVICE,
                request.parameters())
            .orElseThrow(() -> cannotBeLeftOut(WaypointParameters.SERVICE));
    Optional<PodDisruptionBudget> budget =
        changed(
            disruptionBudget(gateway),
            PodDisruptionBudget.class,
            WaypointParameters.DISRUPTION_BUDGET,
            request.parameters());
    return new WaypointObjects(account, deployment, service, budget, autoscaler, initial);
  }

  private static Deployment deployment(Deployment base, boolean byMesh, WaypointRequest request)
      throws InvalidParametersException {
    return changed(
            base,
            Deployment.class,
            WaypointParameters.DEPLOYMENT,
            request.parameters().stream().filter(each -> each.byMesh() == byMesh).toList())
        .orElseThrow(() -> cannotBeLeftOut(WaypointParameters.DEPLOYMENT));
  }

  private static String digest(PodSpec pod, Map<String, String> files) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(JSON.writeValueAsBytes(pod));
      digest.update(JSON.writeValueAsBytes(new TreeMap<>(files)));
      return HexFormat.of().formatHex(digest.digest(), 0, 8);
    } catch (NoSuchAlgorithmException | JsonProcessingException e) {
      throw new IllegalStateException("a pod's spec cannot be digested", e);
    }
  }

  private static InvalidParametersException cannotBeLeftOut(String key) {
    return new InvalidParametersException(
        "key " + key + " removes an object that a waypoint cannot do without");
  }

  private static int initialReplicas(
      Deployment deployment, WaypointSpec mesh, @Nullable HorizontalPodAutoscaler autoscaler) {
    if (autoscaler != null) {
      Integer fewest = autoscaler.getSpec().getMinReplicas();
      return fewest == null ? 1 : fewest;
    }
    Integer asked = deployment.getSpec().getReplicas();
    if (asked != null) {
      return asked;
    }
    Integer fixed = mesh.replicas();
    return fixed == null ? autoscaling(mesh).minReplicas() : fixed;
  }

  private static WaypointAutoscaling autoscaling(WaypointSpec mesh) {
    WaypointAutoscaling asked = mesh.autoscaling();
    return asked == null ? WaypointAutoscaling.DEFAULTS : asked;
  }

  private static <T extends HasMetadata> Optional<T> changed(
      T base, Class<T> type, String key, List<WaypointParameters> by)
      throws InvalidParametersException {
    Optional<T> changed = Optional.of(base);
    for (WaypointParameters parameters : by) {
      ObjectNode patch = parameters.patches().get(key);
      if (patch != null && changed.isPresent()) {
        changed = changed(changed.get(), type, key, patch, parameters);
      }
    }
    return changed;
  }

  private static <T extends HasMetadata> Optional<T> changed(
      T base, Class<T> type, String key, ObjectNode patch, WaypointParameters parameters)
      throws InvalidParametersException {
    try {
      Optional<ObjectNode> merged =
          StrategicMerge.apply(JSON.convertValue(base, ObjectNode.class), patch);
      if (merged.isEmpty()) {
        return Optional.empty();
      }
      T object = JSON.convertValue(merged.get(), type);
      ParameterRules.check(base, object);
      if (object instanceof Deployment deployment && !parameters.byMesh()) {
        PodRestrictions.check(deployment.getSpec().getTemplate().getSpec());
      }
      return Optional.of(object);
    } catch (InvalidParametersException e) {
      throw new InvalidParametersException(
          parameters.source() + ", key " + key + ": " + e.getMessage());
    } catch (IllegalArgumentException e) {
      throw new InvalidParametersException(
          parameters.source()
              + ", key "
              + key
              + " is not what a "
              + base.getKind()
              + " can be: "
              + firstLine(e));
    }
  }

  private static String firstLine(IllegalArgumentException failure) {
    return String.valueOf(failure.getMessage()).lines().findFirst().orElse("");
  }

  // --- The objects before parameters change them

  private static ServiceAccount serviceAccount(Gateway gateway) {
    return new ServiceAccountBuilder().withMetadata(metadata(gateway)).build();
  }

  private static Service service(Gateway gateway, List<WaypointListener> listeners) {
    List<ServicePort> ports = new ArrayList<>();
    ports.add(port("status-port", EnvoyBootstrap.READINESS_PORT, null));
    listeners.forEach(listener -> ports.add(port(listener.name(), listener.port(), "hbone")));
    return new ServiceBuilder()
        .withMetadata(metadata(gateway))
        .withNewSpec()
        .withType("ClusterIP")
        .withIpFamilyPolicy("PreferDualStack")
        .withTrafficDistribution("PreferClose")
        .withSelector(WaypointLabels.selector(gateway))
        .withPorts(ports)
        .endSpec()
        .build();
  }

  private static ServicePort port(String name, int port, @Nullable String protocol) {
    return new ServicePortBuilder()
        .withName(name)
        .withPort(port)
        .withProtocol("TCP")
        .withTargetPort(new IntOrString(port))
        .withAppProtocol(protocol)
        .build();
  }

  private static PodDisruptionBudget disruptionBudget(Gateway gateway) {
    return new PodDisruptionBudgetBuilder()
        .withMetadata(metadata(gateway))
        .withNewSpec()
        // Of one instance too: a drain of its node must be able to end.
        .withMaxUnavailable(new IntOrString(1))
        .withUnhealthyPodEvictionPolicy("AlwaysAllow")
        .withNewSelector()
        .withMatchLabels(WaypointLabels.selector(gateway))
        .endSelector()
        .endSpec()
        .build();
  }

  private static HorizontalPodAutoscaler autoscaler(Gateway gateway, WaypointSpec mesh) {
    WaypointAutoscaling autoscaling = autoscaling(mesh);
    return new HorizontalPodAutoscalerBuilder()
        .withMetadata(metadata(gateway))
        .withNewSpec()
        .withNewScaleTargetRef()
        .withApiVersion("apps/v1")
        .withKind("Deployment")
        .withName(gateway.getMetadata().getName())
        .endScaleTargetRef()
        .withMinReplicas(autoscaling.minReplicas())
        .withMaxReplicas(autoscaling.maxReplicas())
        .addNewMetric()
        .withType("Resource")
        .withNewResource()
        .withName("cpu")
        .withNewTarget()
        .withType("Utilization")
        .withAverageUtilization(autoscaling.targetCpuUtilization())
        .endTarget()
        .endResource()
        .endMetric()
        .endSpec()
        .build();
  }

  /** Of every object: its marks win over what the Gateway asks for. */
  static ObjectMeta metadata(Gateway gateway) {
    Map<String, String> labels = new LinkedHashMap<>(infrastructureLabels(gateway));
    labels.putAll(WaypointLabels.of(gateway));
    return new ObjectMetaBuilder()
        .withNamespace(gateway.getMetadata().getNamespace())
        .withName(gateway.getMetadata().getName())
        .withLabels(labels)
        .withAnnotations(infrastructureAnnotations(gateway))
        .withOwnerReferences(owner(gateway))
        .build();
  }

  static Map<String, String> infrastructureLabels(Gateway gateway) {
    return gateway.getSpec().getInfrastructure() == null
            || gateway.getSpec().getInfrastructure().getLabels() == null
        ? Map.of()
        : WaypointLabels.wanted(gateway.getSpec().getInfrastructure().getLabels());
  }

  static Map<String, String> infrastructureAnnotations(Gateway gateway) {
    return gateway.getSpec().getInfrastructure() == null
            || gateway.getSpec().getInfrastructure().getAnnotations() == null
        ? Map.of()
        : WaypointLabels.wanted(gateway.getSpec().getInfrastructure().getAnnotations());
  }

  private static OwnerReference owner(Gateway gateway) {
    return new OwnerReferenceBuilder()
        .withApiVersion(gateway.getApiVersion())
        .withKind(gateway.getKind())
        .withName(gateway.getMetadata().getName())
        .withUid(gateway.getMetadata().getUid())
        .withController(true)
        .withBlockOwnerDeletion(false)
        .build();
  }

  /** The Deployment with this many replicas; nothing for whatever there is. */
  static Deployment withReplicas(Deployment deployment, @Nullable Integer replicas) {
    return new DeploymentBuilder(deployment).editSpec().withReplicas(replicas).endSpec().build();
  }

  /**
   * The Deployment to apply. Where an autoscaler decides, the number of replicas is left to it from
   * the moment that it changes it; until then it is kept, since it would fall to one if the
   * operator let go of it.
   *
   * @param owned the number that the operator has applied and nobody has changed since, if any
   * @param exists whether there is a Deployment
   */
  public Deployment deployment(boolean exists, @Nullable Integer owned) {
    if (autoscaler.isEmpty()) {
      return deployment;
    }
    return withReplicas(deployment, exists ? owned : Integer.valueOf(initialReplicas));
  }
}
