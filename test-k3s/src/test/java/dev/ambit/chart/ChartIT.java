package dev.ambit.chart;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.ImagePullPolicy;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.LocalObjectReference;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.admissionregistration.v1.ValidatingAdmissionPolicy;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.ClusterRole;
import io.fabric8.kubernetes.api.model.rbac.ClusterRoleBinding;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the chart installs, and which values it refuses. */
class ChartIT {
  private final Helm helm = Helm.find();

  private <T extends HasMetadata> T one(Class<T> type, String... values) {
    List<T> found = all(type, helm.objects(values));
    assertThat(found).hasSize(1);
    return found.getFirst();
  }

  private static <T extends HasMetadata> List<T> all(Class<T> type, List<HasMetadata> objects) {
    return objects.stream().filter(type::isInstance).map(type::cast).toList();
  }

  private AmbientMesh mesh(String... values) {
    List<HasMetadata> found =
        helm.objects(values).stream().filter(o -> o.getKind().equals("AmbientMesh")).toList();
    assertThat(found).hasSize(1);
    return Serialization.unmarshal(Serialization.asYaml(found.getFirst()), AmbientMesh.class);
  }

  private static PodSpec pod(Deployment deployment) {
    return deployment.getSpec().getTemplate().getSpec();
  }

  @Test
  void helmFindsNoFault() {
    Helm.Outcome outcome = helm.run("lint", "--strict", Helm.CHART.toString());

    assertThat(outcome.succeeded()).as(outcome.output()).isTrue();
  }

  @Test
  void everyObjectSaysWhatItIsPartOf() {
    assertThat(helm.objects())
        .isNotEmpty()
        .allSatisfy(
            object ->
                assertThat(object.getMetadata().getLabels())
                    .containsEntry("app.kubernetes.io/part-of", "ambit")
                    .containsKeys("app.kubernetes.io/name", "app.kubernetes.io/managed-by"));
  }

  @Test
  void namespacedObjectsAreInTheReleasesNamespace() {
    assertThat(helm.objects())
        .filteredOn(
            object ->
                object instanceof Deployment
                    || object instanceof Service
                    || object instanceof ServiceAccount
                    || object instanceof Role
                    || object instanceof RoleBinding
                    || object instanceof PodDisruptionBudget)
        .hasSize(8)
        .allSatisfy(o -> assertThat(o.getMetadata().getNamespace()).isEqualTo(Helm.NAMESPACE));
  }

  @Test
  void theOperatorMeetsTheRestrictedPodSecurityLevel() {
    PodSpec pod = pod(one(Deployment.class));

    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(pod.getSecurityContext().getSeccompProfile().getType()).isEqualTo("RuntimeDefault");
    assertThat(pod.getHostNetwork()).isNull();
    assertThat(pod.getVolumes()).allSatisfy(v -> assertThat(v.getHostPath()).isNull());
    assertThat(pod.getContainers())
        .allSatisfy(
            container -> {
              var context = container.getSecurityContext();
              assertThat(context.getAllowPrivilegeEscalation()).isFalse();
              assertThat(context.getReadOnlyRootFilesystem()).isTrue();
              assertThat(context.getCapabilities().getDrop()).containsExactly("ALL");
              assertThat(context.getCapabilities().getAdd()).isEmpty();
            });
  }

  @Test
  void theOperatorIsReachedAndProbedWhereItListens() {
    Container operator = pod(one(Deployment.class)).getContainers().getFirst();
    Service service = one(Service.class);

    assertThat(service.getMetadata().getName()).isEqualTo("ambit-operator");
    assertThat(service.getSpec().getPorts())
        .allSatisfy(
            port ->
                assertThat(operator.getPorts())
                    .anySatisfy(
                        listening -> {
                          assertThat(listening.getName())
                              .isEqualTo(port.getTargetPort().getStrVal());
                          assertThat(listening.getContainerPort()).isEqualTo(port.getPort());
                        }))
        .extracting(port -> port.getPort())
        .containsExactly(15012, 15014);
    assertThat(one(Deployment.class).getSpec().getTemplate().getMetadata().getLabels())
        .containsAllEntriesOf(service.getSpec().getSelector());
    assertThat(operator.getReadinessProbe().getHttpGet().getPath()).isEqualTo("/readyz");
    assertThat(operator.getLivenessProbe().getHttpGet().getPath()).isEqualTo("/healthz");
    assertThat(operator.getEnv())
        .extracting(variable -> variable.getName())
        .containsExactly("POD_NAME", "POD_NAMESPACE", "POD_IP", "LOG_LEVEL");
  }

  @Test
  void twoReplicasAvoidOneNodeAndAreNotEvictedTogether() {
    Deployment deployment = one(Deployment.class);

    assertThat(deployment.getSpec().getReplicas()).isEqualTo(2);
    assertThat(
            pod(deployment)
                .getAffinity()
                .getPodAntiAffinity()
                .getPreferredDuringSchedulingIgnoredDuringExecution())
        .isNotEmpty();
    assertThat(one(PodDisruptionBudget.class).getSpec().getMaxUnavailable().getIntVal())
        .isEqualTo(1);
    assertThat(all(PodDisruptionBudget.class, helm.objects("operator.replicas=1"))).isEmpty();
  }

  @Test
  void oneRegistryAndTagNameEveryImage() {
    String[] values = {
      "image.registry=registry.example/mesh", "image.tag=v9", "image.pullPolicy=Never"
    };

    Container operator = pod(one(Deployment.class, values)).getContainers().getFirst();
    assertThat(operator.getImage()).isEqualTo("registry.example/mesh/operator:v9");
    assertThat(operator.getImagePullPolicy()).isEqualTo("Never");
    var spec = mesh(values).effectiveSpec();
    assertThat(spec.ztunnel().image()).isEqualTo("registry.example/mesh/ztunnel:v9");
    assertThat(spec.agent().image()).isEqualTo("registry.example/mesh/agent:v9");
    assertThat(spec.ztunnel().imagePullPolicy()).isEqualTo(ImagePullPolicy.NEVER);
    assertThat(spec.agent().imagePullPolicy()).isEqualTo(ImagePullPolicy.NEVER);
  }

  @Test
  void pullSecretsServeEveryProgram() {
    assertThat(all(ServiceAccount.class, helm.objects("image.pullSecrets={mine}")))
        .extracting(account -> account.getMetadata().getName())
        .containsExactlyInAnyOrder("ambit-operator", "ambit-agent", "ztunnel");
    assertThat(all(ServiceAccount.class, helm.objects("image.pullSecrets={mine}")))
        .allSatisfy(
            account ->
                assertThat(account.getImagePullSecrets())
                    .containsExactly(new LocalObjectReference("mine")));
  }

  @Test
  void theMeshIsWhatTheCrdDefaultsTo() {
    var spec = mesh().effectiveSpec();
    var defaults = dev.ambit.api.AmbientMeshSpec.DEFAULTS;

    assertThat(spec.trustDomain()).isEqualTo(defaults.trustDomain());
    assertThat(spec.ca()).isEqualTo(defaults.ca());
    assertThat(spec.workloadCertificate()).isEqualTo(defaults.workloadCertificate());
    assertThat(spec.excludedNamespaces()).isEqualTo(defaults.excludedNamespaces());
    assertThat(spec.mtls()).isEqualTo(defaults.mtls());
    assertThat(spec.dnsCapture()).isEqualTo(defaults.dnsCapture());
    assertThat(spec.leaving()).isEqualTo(defaults.leaving());
    assertThat(spec.cni()).isEqualTo(defaults.cni());
    assertThat(spec.waypoint()).isEqualTo(defaults.waypoint());
    assertThat(spec.ztunnel().image()).isEqualTo(defaults.ztunnel().image());
    assertThat(spec.agent().image()).isEqualTo(defaults.agent().image());
  }

  @Test
  void k3sKeepsItsPluginsElsewhere() {
    var k3s = mesh("platform=k3s").effectiveSpec().cni();
    assertThat(k3s.binDir()).isEqualTo("/var/lib/rancher/k3s/data/cni");
    assertThat(k3s.confDir()).isEqualTo("/var/lib/rancher/k3s/agent/etc/cni/net.d");

    var own = mesh("platform=k3s", "mesh.cni.binDir=/opt/mine").effectiveSpec().cni();
    assertThat(own.binDir()).isEqualTo("/opt/mine");
  }

  @Test
  void aMeshMadeByOtherMeansIsLeftAlone() {
    assertThat(helm.objects("mesh.create=false"))
        .noneSatisfy(object -> assertThat(object.getKind()).isEqualTo("AmbientMesh"));
  }

  @Test
  void noRoleHasAWildcardOrReadsSecretsOfOthers() {
    List<HasMetadata> objects = helm.objects();
    List<PolicyRule> clusterWide =
        all(ClusterRole.class, objects).stream().flatMap(r -> r.getRules().stream()).toList();
    List<PolicyRule> local =
        all(Role.class, objects).stream().flatMap(r -> r.getRules().stream()).toList();

    assertThat(clusterWide).isNotEmpty();
    assertThat(local).isNotEmpty();
    for (List<PolicyRule> rules : List.of(clusterWide, local)) {
      assertThat(rules)
          .allSatisfy(
              rule -> {
                assertThat(rule.getApiGroups()).doesNotContain("*");
                assertThat(rule.getResources()).doesNotContain("*");
                assertThat(rule.getVerbs()).doesNotContain("*", "escalate", "bind", "impersonate");
              });
    }
    Set<String> notForTheMesh =
        Set.of("secrets", "pods/exec", "serviceaccounts/token", "clusterroles", "nodes/proxy");
    assertThat(clusterWide)
        .allSatisfy(
            rule -> assertThat(rule.getResources()).doesNotContainAnyElementsOf(notForTheMesh));
  }

  @Test
  void whatTheOperatorWritesInOthersNamespacesIsKeptToWaypoints() {
    List<HasMetadata> objects = helm.objects();
    ValidatingAdmissionPolicy limits =
        all(ValidatingAdmissionPolicy.class, objects).stream().findFirst().orElseThrow();
    List<String> limited =
        limits.getSpec().getMatchConstraints().getResourceRules().stream()
            .flatMap(rule -> rule.getResources().stream())
            .toList();
    List<String> notOfOthers =
        List.of(
            "configmaps",
            "events",
            "gatewayclasses",
            "meshenrollments",
            "clustermeshenrollments",
            "ambientmeshes");

    assertThat(limits.getSpec().getFailurePolicy()).isEqualTo("Fail");
    assertThat(all(ClusterRole.class, objects))
        .filteredOn(role -> role.getMetadata().getName().equals("ambit-operator"))
        .flatExtracting(ClusterRole::getRules)
        .filteredOn(rule -> !Set.of("get", "list", "watch").containsAll(rule.getVerbs()))
        .flatExtracting(PolicyRule::getResources)
        .filteredOn(
            resource ->
                !resource.contains("/")
                    && !resource.equals("tokenreviews")
                    && !notOfOthers.contains(resource))
        .isNotEmpty()
        .allSatisfy(resource -> assertThat(limited).contains(resource));
  }

  @Test
  void theAgentWritesNothingButPodStatusAndEvents() {
    ClusterRole agent =
        all(ClusterRole.class, helm.objects()).stream()
            .filter(role -> role.getMetadata().getName().equals("ambit-agent"))
            .findFirst()
            .orElseThrow();

    assertThat(agent.getRules())
        .filteredOn(rule -> !Set.of("get", "list", "watch").containsAll(rule.getVerbs()))
        .flatExtracting(PolicyRule::getResources)
        .containsExactlyInAnyOrder("pods/status", "events");
  }

  @Test
  void theZtunnelHasNoRole() {
    List<HasMetadata> objects = helm.objects();

    assertThat(all(ClusterRoleBinding.class, objects))
        .flatExtracting(ClusterRoleBinding::getSubjects)
        .noneSatisfy(subject -> assertThat(subject.getName()).isEqualTo("ztunnel"));
    assertThat(all(RoleBinding.class, objects))
        .flatExtracting(RoleBinding::getSubjects)
        .noneSatisfy(subject -> assertThat(subject.getName()).isEqualTo("ztunnel"));
  }

  @ParameterizedTest
  @CsvSource({
    "mesh.trustDomain=Not_A_Domain,     /mesh/trustDomain",
    "mesh.trustDomain=,                 /mesh/trustDomain",
    "mesh.workloadCertificate.ttl=1d,   /mesh/workloadCertificate/ttl",
    "mesh.mtls=strict,                  /mesh/mtls",
    "mesh.dnsCapture=maybe,             /mesh/dnsCapture",
    "mesh.mtsl=Strict,                  mtsl",
    "mesh.leaving.drainSeconds=-1,      /mesh/leaving/drainSeconds",
    "mesh.cni.binDir=opt/cni,           /mesh/cni/binDir",
    "mesh.excludedNamespaces={Big},     /mesh/excludedNamespaces/0",
    "mesh.ztunnel.logLevel=loud,        /mesh/ztunnel/logLevel",
    "mesh.waypoint.drainSeconds=0,      /mesh/waypoint/drainSeconds",
    "mesh.waypoint.autoscaling.min=2,   /mesh/waypoint/autoscaling",
    "operator.replicas=0,               /operator/replicas",
    "image.pullPolicy=Sometimes,        /image/pullPolicy",
    "platform=k2s,                      /platform"
  })
  void aBadValueIsRefusedByItsName(String value, String place) {
    Helm.Outcome outcome = helm.template(value);

    assertThat(outcome.succeeded()).isFalse();
    assertThat(outcome.output()).contains(place);
  }

  @Test
  void kubeSystemIsRefused() {
    Helm.Outcome outcome =
        helm.run("template", "ambit", Helm.CHART.toString(), "--namespace", "kube-system");

    assertThat(outcome.succeeded()).isFalse();
    assertThat(outcome.output()).contains("namespace of its own");
  }

  @Test
  void anUninstallDeletesItsOwnMeshAndRefusesWhileThereIsAnothers() {
    assertThat(uninstallArguments()).containsExactly("dev.ambit.operator.Uninstall", "PT4M");
    assertThat(uninstallArguments("mesh.create=false"))
        .containsExactly("dev.ambit.operator.Uninstall", "PT4M", "refuse");
  }

  private List<String> uninstallArguments(String... values) {
    return one(Job.class, values)
        .getSpec()
        .getTemplate()
        .getSpec()
        .getContainers()
        .getFirst()
        .getArgs();
  }
}
