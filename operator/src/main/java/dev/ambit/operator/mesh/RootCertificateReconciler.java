package dev.ambit.operator.mesh;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.mesh.model.RootCertificateDecision;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.config.informer.FieldSelectorBuilder;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import io.javaoperatorsdk.operator.processing.event.source.inbound.SimpleInboundEventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps the root certificates in a ConfigMap of every namespace, for whoever has to trust them. */
@ControllerConfiguration(name = "root-certificate")
public final class RootCertificateReconciler implements Reconciler<Namespace>, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(RootCertificateReconciler.class);

  private final String rootNamespace;
  private final RootCertificates certificates;

  private @Nullable Caches caches;
  private @Nullable AutoCloseable subscription;

  private record Caches(
      InformerEventSource<ConfigMap, Namespace> configMaps,
      InformerEventSource<AmbientMesh, Namespace> meshes) {}

  public RootCertificateReconciler(String rootNamespace, RootCertificates certificates) {
    this.rootNamespace = rootNamespace;
    this.certificates = certificates;
  }

  @Override
  public List<EventSource<?, Namespace>> prepareEventSources(
      EventSourceContext<Namespace> context) {
    IndexerResourceCache<Namespace> namespaces = context.getPrimaryCache();
    var configMaps =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(ConfigMap.class, Namespace.class)
                .withName("configmaps")
                .withFieldSelector(
                    new FieldSelectorBuilder()
                        .withField("metadata.name", WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
                        .build())
                .withSecondaryToPrimaryMapper(
                    configMap -> Set.of(new ResourceID(configMap.getMetadata().getNamespace())))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    var meshes =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(AmbientMesh.class, Namespace.class)
                .withName("mesh")
                .withSecondaryToPrimaryMapper(mesh -> all(namespaces))
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .withOnUpdateFilter((mesh, before) -> false)
                .build(),
            context);
    var authority = new SimpleInboundEventSource<Namespace>("authority");
    subscription =
        certificates.onChange(
            () -> {
              if (authority.isRunning()) {
                all(namespaces).forEach(authority::propagateEvent);
              }
            });
    caches = new Caches(configMaps, meshes);
    return List.of(configMaps, meshes, authority);
  }

  private static Set<ResourceID> all(IndexerResourceCache<Namespace> namespaces) {
    return namespaces.list().map(ResourceID::fromResource).collect(Collectors.toUnmodifiableSet());
  }

  @Override
  public UpdateControl<Namespace> reconcile(Namespace namespace, Context<Namespace> context) {
    Caches known = Objects.requireNonNull(caches, "event sources are prepared before reconciling");
    String name = namespace.getMetadata().getName();
    Optional<ConfigMap> actual =
        known.configMaps().get(new ResourceID(WellKnown.ROOT_CERTIFICATE_CONFIG_MAP, name));
    RootCertificateDecision decision =
        RootCertificateDecision.of(
            name,
            name.equals(rootNamespace),
            namespace.getMetadata().getDeletionTimestamp() != null,
            known.meshes().get(new ResourceID(WellKnown.DEFAULT_NAME)).isPresent(),
            certificates.bundle(),
            actual.map(RootCertificateReconciler::content).orElse(null));
    try {
      switch (decision) {
        case RootCertificateDecision.Apply(String bundle) ->
            apply(context.getClient(), name, bundle);
        case RootCertificateDecision.Delete ignored -> delete(context.getClient(), name);
        case RootCertificateDecision.Leave ignored -> {}
      }
    } catch (KubernetesClientException e) {
      if (!NamespaceGone.isCauseOf(e)) {
        throw e;
      }
    }
    return UpdateControl.noUpdate();
  }

  private static String content(ConfigMap configMap) {
    Map<String, String> data = configMap.getData();
    return data == null ? "" : data.getOrDefault(WellKnown.ROOT_CERTIFICATE_KEY, "");
  }

  private static void apply(KubernetesClient client, String namespace, String bundle) {
    FieldManager.apply(
        client,
        new ConfigMapBuilder()
            .withNewMetadata()
            .withNamespace(namespace)
            .withName(WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
            .withLabels(CommonLabels.of(WellKnown.ROOT_CERTIFICATE_CONFIG_MAP))
            .endMetadata()
            .withData(Map.of(WellKnown.ROOT_CERTIFICATE_KEY, bundle))
            .build());
    LOG.atDebug()
        .addKeyValue("namespace", namespace)
        .addKeyValue("name", WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
        .log("applied the root certificates");
  }

  private static void delete(KubernetesClient client, String namespace) {
    client
        .configMaps()
        .inNamespace(namespace)
        .withName(WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
        .delete();
  }

  /** Ends the subscription to the authority. */
  @Override
  public void close() throws Exception {
    if (subscription != null) {
      subscription.close();
    }
  }
}
