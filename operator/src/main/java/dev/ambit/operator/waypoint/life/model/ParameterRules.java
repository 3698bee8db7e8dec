package dev.ambit.operator.waypoint.life.model;

import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** What parameters cannot change, whoever gives them: else a waypoint would not be found again. */
final class ParameterRules {
  private static final Set<String> FIXED =
      Set.of(
          WaypointLabels.GATEWAY_NAME,
          WaypointLabels.CLASS_NAME,
          WaypointLabels.MANAGED,
          CommonLabels.MANAGED_BY,
          CommonLabels.PART_OF,
          "istio.io/dataplane-mode");

  private ParameterRules() {}

  static void check(HasMetadata before, HasMetadata after) throws InvalidParametersException {
    same(before.getApiVersion(), after.getApiVersion(), "apiVersion");
    same(before.getKind(), after.getKind(), "kind");
    if (after.getMetadata() == null) {
      throw new InvalidParametersException("metadata cannot be removed");
    }
    same(before.getMetadata().getName(), after.getMetadata().getName(), "metadata.name");
    same(
        before.getMetadata().getNamespace(),
        after.getMetadata().getNamespace(),
        "metadata.namespace");
    same(
        before.getMetadata().getOwnerReferences(),
        after.getMetadata().getOwnerReferences(),
        "metadata.ownerReferences");
    labels(before.getMetadata().getLabels(), after.getMetadata().getLabels(), "metadata.labels");
    if (before instanceof Deployment one && after instanceof Deployment other) {
      deployment(one, other);
    }
    if (before instanceof Service one && after instanceof Service other) {
      if (other.getSpec() == null) {
        throw new InvalidParametersException("spec cannot be removed");
      }
      same(one.getSpec().getSelector(), other.getSpec().getSelector(), "spec.selector");
      if (!Set.of("ClusterIP", "NodePort", "LoadBalancer")
          .contains(String.valueOf(other.getSpec().getType()))) {
        throw new InvalidParametersException(
            "spec.type cannot be "
                + other.getSpec().getType()
                + ", since the waypoint's Service needs an address in the cluster");
      }
    }
  }

  private static void deployment(Deployment before, Deployment after)
      throws InvalidParametersException {
    if (after.getSpec() == null
        || after.getSpec().getTemplate() == null
        || after.getSpec().getTemplate().getSpec() == null
        || after.getSpec().getTemplate().getMetadata() == null) {
      throw new InvalidParametersException("spec.template cannot be removed");
    }
    same(before.getSpec().getSelector(), after.getSpec().getSelector(), "spec.selector");
    labels(
        before.getSpec().getTemplate().getMetadata().getLabels(),
        after.getSpec().getTemplate().getMetadata().getLabels(),
        "spec.template.metadata.labels");
    same(
        before.getSpec().getTemplate().getSpec().getServiceAccountName(),
        after.getSpec().getTemplate().getSpec().getServiceAccountName(),
        "spec.template.spec.serviceAccountName");
    List<Container> containers = after.getSpec().getTemplate().getSpec().getContainers();
    if (containers == null
        || containers.stream().noneMatch(c -> WaypointDeployment.CONTAINER.equals(c.getName()))) {
      throw new InvalidParametersException(
          "the container " + WaypointDeployment.CONTAINER + " cannot be removed");
    }
    for (Container container : containers) {
      if (container.getImage() == null || container.getImage().isEmpty()) {
        throw new InvalidParametersException(
            "container "
                + container.getName()
                + " has no image (Envoy's container is named "
                + WaypointDeployment.CONTAINER
                + ")");
      }
    }
  }

  private static void labels(Map<String, String> before, Map<String, String> after, String where)
      throws InvalidParametersException {
    for (String label : FIXED) {
      same(before.get(label), after == null ? null : after.get(label), where + " " + label);
    }
  }

  private static void same(
      @org.jspecify.annotations.Nullable Object before,
      @org.jspecify.annotations.Nullable Object after,
      String what)
      throws InvalidParametersException {
    if (!Objects.equals(before, after)) {
      throw new InvalidParametersException(what + " cannot be changed");
    }
  }
}
