package dev.ambit.operator.waypoint.route;

import dev.ambit.operator.waypoint.model.ObjectReference;
import io.fabric8.kubernetes.api.model.APIResourceList;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.AnyNamespaceOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The routes of a cluster, in the versions that it serves: some of them are served in an
 * experimental version where the cluster has them from that channel, and in "v1" alone where it has
 * them from the standard one. Nothing of them is lost that no model of ours knows.
 */
public final class RouteApi {
  private static final String GROUP = "gateway.networking.k8s.io";

  /** The better first. */
  private static final Map<String, List<String>> VERSIONS = versions();

  private final KubernetesClient client;
  private final Map<String, ResourceDefinitionContext> served = new LinkedHashMap<>();

  /** That client's cluster's. */
  public RouteApi(KubernetesClient client) {
    this.client = client;
  }

  private static Map<String, List<String>> versions() {
    Map<String, List<String>> versions = new LinkedHashMap<>();
    versions.put("HTTPRoute", List.of("v1", "v1beta1"));
    versions.put("GRPCRoute", List.of("v1"));
    versions.put("TLSRoute", List.of("v1", "v1alpha3", "v1alpha2"));
    versions.put("TCPRoute", List.of("v1", "v1alpha2"));
    return versions;
  }

  /** Those of a kind, in the version that is served; nothing where the cluster has none. */
  public Optional<
          AnyNamespaceOperation<
              GenericKubernetesResource,
              GenericKubernetesResourceList,
              Resource<GenericKubernetesResource>>>
      ofKind(String kind) {
    return context(kind)
        .map(context -> client.genericKubernetesResources(context).inAnyNamespace());
  }

  /** A route as the model has it, whatever version it was read in: they differ in no field. */
  public <T extends HasMetadata> T as(Class<T> model, GenericKubernetesResource route) {
    return client.getKubernetesSerialization().convertValue(route, model);
  }

  /** All of them. */
  List<GenericKubernetesResource> list() {
    List<GenericKubernetesResource> routes = new ArrayList<>();
    for (String kind : VERSIONS.keySet()) {
      context(kind)
          .ifPresent(
              context ->
                  routes.addAll(
                      client
                          .genericKubernetesResources(context)
                          .inAnyNamespace()
                          .list()
                          .getItems()));
    }
    return routes;
  }

  /** That one as it is now. */
  Optional<GenericKubernetesResource> get(ObjectReference route) {
    return context(route.kind())
        .map(
            context ->
                client
                    .genericKubernetesResources(context)
                    .inNamespace(route.namespace())
                    .withName(route.name())
                    .get());
  }

  /** Replaces its status, unless it has changed since it was read. */
  void replaceStatus(ObjectReference reference, GenericKubernetesResource route) {
    context(reference.kind())
        .ifPresent(
            context ->
                client
                    .genericKubernetesResources(context)
                    .inNamespace(reference.namespace())
                    .resource(route)
                    .updateStatus());
  }

  private synchronized Optional<ResourceDefinitionContext> context(String kind) {
    ResourceDefinitionContext known = served.get(kind);
    if (known != null) {
      return Optional.of(known);
    }
    for (String version : VERSIONS.getOrDefault(kind, List.of())) {
      APIResourceList resources = client.getApiResources(GROUP + "/" + version);
      Optional<ResourceDefinitionContext> context =
          resources == null
              ? Optional.empty()
              : resources.getResources().stream()
                  .filter(resource -> kind.equals(resource.getKind()))
                  .filter(resource -> !resource.getName().contains("/"))
                  .findFirst()
                  .map(
                      resource ->
                          new ResourceDefinitionContext.Builder()
                              .withGroup(GROUP)
                              .withVersion(version)
                              .withKind(kind)
                              .withPlural(resource.getName())
                              .withNamespaced(true)
                              .build());
      if (context.isPresent()) {
        served.put(kind, context.get());
        return context;
      }
    }
    return Optional.empty();
  }
}
