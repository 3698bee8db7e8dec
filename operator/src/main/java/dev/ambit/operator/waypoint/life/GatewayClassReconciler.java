package dev.ambit.operator.waypoint.life;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.Conditions;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.StatusWriter;
import dev.ambit.operator.waypoint.life.model.ClassReport;
import dev.ambit.operator.waypoint.life.model.WaypointClass;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClassBuilder;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClassStatus;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.config.informer.InformerEventSourceConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.ResourceID;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.informer.InformerEventSource;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Makes the classes of waypoints for a mesh, and says on each that it is served, or why not. */
@ControllerConfiguration(name = "waypointclasses", fieldManager = FieldManager.NAME)
public final class GatewayClassReconciler implements Reconciler<AmbientMesh> {
  /** By which an Istio control plane is known, whatever its revision. */
  static final String ISTIO_SERVICES =
      WaypointClass.ISTIO_LABEL + "=" + WaypointClass.ISTIO_LABEL_VALUE;

  private static final Logger LOG = LoggerFactory.getLogger(GatewayClassReconciler.class);
  private static final Set<ResourceID> THE_MESH = Set.of(new ResourceID(WellKnown.DEFAULT_NAME));
  private static final String DEFINITION = "gatewayclasses.gateway.networking.k8s.io";

  private final EventRecorder events;
  private final InstantSource clock;
  private final StatusWriter<GatewayClassStatus> statuses = new StatusWriter<>();
  private final Map<String, String> told = new HashMap<>();

  private @Nullable Caches caches;

  private record Caches(
      InformerEventSource<GatewayClass, AmbientMesh> classes,
      InformerEventSource<Service, AmbientMesh> istio) {}

  public GatewayClassReconciler(EventRecorder events, InstantSource clock) {
    this.events = events;
    this.clock = clock;
  }

  @Override
  public List<EventSource<?, AmbientMesh>> prepareEventSources(
      EventSourceContext<AmbientMesh> context) {
    var classes =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(GatewayClass.class, AmbientMesh.class)
                .withName("classes")
                .withSecondaryToPrimaryMapper(gatewayClass -> THE_MESH)
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    var istio =
        new InformerEventSource<>(
            InformerEventSourceConfiguration.from(Service.class, AmbientMesh.class)
                .withName("istio")
                .withLabelSelector(ISTIO_SERVICES)
                .withSecondaryToPrimaryMapper(service -> THE_MESH)
                .withPrimaryToSecondaryMapper(primary -> Set.of())
                .build(),
            context);
    caches = new Caches(classes, istio);
    return List.of(classes, istio);
  }

  private Caches caches() {
    return Objects.requireNonNull(caches, "prepareEventSources comes first");
  }

  @Override
  public UpdateControl<AmbientMesh> reconcile(AmbientMesh mesh, Context<AmbientMesh> context) {
    if (!WellKnown.DEFAULT_NAME.equals(mesh.getMetadata().getName())
        || mesh.getMetadata().getDeletionTimestamp() != null) {
      return UpdateControl.noUpdate();
    }
    boolean istio = caches().istio().list().findAny().isPresent();
    boolean serveIstio = mesh.effectiveSpec().waypoint().serveIstioClass();
    make(WaypointClass.NAME, WaypointClass.CONTROLLER, mesh, context.getClient());
    if (serveIstio && !istio) {
      make(WaypointClass.ISTIO_NAME, WaypointClass.ISTIO_CONTROLLER, mesh, context.getClient());
    }
    for (GatewayClass gatewayClass : caches().classes().list().toList()) {
      switch (WaypointClass.of(gatewayClass, istio, serveIstio, FieldManager.NAME)) {
        case WaypointClass.Served() -> report(gatewayClass, context.getClient());
        case WaypointClass.Left(String why) -> tellLeft(gatewayClass, why);
        case WaypointClass.Unrelated() -> {}
        case WaypointClass.Missing() -> {}
      }
    }
    return UpdateControl.noUpdate();
  }

  /** One that is there already is left as it is, be it ours or not. */
  private void make(String name, String controller, AmbientMesh mesh, KubernetesClient client) {
    if (caches().classes().get(new ResourceID(name)).isPresent()) {
      return;
    }
    FieldManager.apply(
        client,
        new GatewayClassBuilder()
            .withNewMetadata()
            .withName(name)
            .withLabels(CommonLabels.of(name))
            // Gone with the mesh.
            .withOwnerReferences(
                new OwnerReferenceBuilder()
                    .withApiVersion(mesh.getApiVersion())
                    .withKind(mesh.getKind())
                    .withName(mesh.getMetadata().getName())
                    .withUid(mesh.getMetadata().getUid())
                    .build())
            .endMetadata()
            .withNewSpec()
            .withControllerName(controller)
            .withDescription("Waypoints of the Ambit mesh, which Envoy is for L7.")
            .endSpec()
            .build());
    LOG.atInfo().addKeyValue("name", name).log("made a class of waypoints");
  }

  private void report(GatewayClass gatewayClass, KubernetesClient client) {
    GatewayClassStatus before =
        statuses.current(gatewayClass, ClassReport.ours(gatewayClass.getStatus()));
    GatewayClassStatus after =
        ClassReport.of(
            before,
            bundleVersion(client),
            gatewayClass.getMetadata().getGeneration(),
            clock.instant());
    if (after.equals(before)) {
      return;
    }
    GatewayClass applied =
        new GatewayClassBuilder()
            .withNewMetadata()
            .withName(gatewayClass.getMetadata().getName())
            .endMetadata()
            .withStatus(after)
            .build();
    statuses.write(client, gatewayClass, applied, after);
    boolean known =
        before != null
            && before.getConditions() != null
            && Conditions.holds(before.getConditions(), ClassReport.ACCEPTED);
    if (!known) {
      events.normal(gatewayClass, ClassReport.ACCEPTED, "Ambit makes this class's waypoints.");
    }
  }

  private static Optional<String> bundleVersion(KubernetesClient client) {
    CustomResourceDefinition definition =
        client.apiextensions().v1().customResourceDefinitions().withName(DEFINITION).get();
    return Optional.ofNullable(definition)
        .map(each -> each.getMetadata().getAnnotations())
        .map(annotations -> annotations.get(ClassReport.BUNDLE_VERSION));
  }

  /** Its status is another's to write, so this is an event, and told once. */
  private void tellLeft(GatewayClass gatewayClass, String why) {
    String name = gatewayClass.getMetadata().getName();
    if (why.equals(told.put(name, why))) {
      return;
    }
    events.normal(
        gatewayClass,
        "LeftToAnother",
        "Ambit does not make this class's waypoints, since " + why + ".");
    LOG.atInfo().addKeyValue("name", name).addKeyValue("why", why).log("a class is left alone");
  }
}
