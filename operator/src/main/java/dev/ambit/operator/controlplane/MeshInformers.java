package dev.ambit.operator.controlplane;

import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WhenMissing;
import dev.ambit.operator.model.BoundObject;
import dev.ambit.operator.model.MeshIndex;
import dev.ambit.operator.model.MtlsMode;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha2.TCPRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1alpha3.TLSRoute;
import io.fabric8.kubernetes.api.model.gatewayapi.v1beta1.ReferenceGrant;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.Informable;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.informers.cache.Cache;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Feeds the index from the API server. An informer that fails tries again for as long as it takes.
 */
final class MeshInformers implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(MeshInformers.class);

  private final MeshPublisher publisher;
  private final List<SharedIndexInformer<?>> informers = new CopyOnWriteArrayList<>();
  private final BoundObjects boundObjects = new BoundObjects();
  private final List<OptionalKind> optionalKinds = new ArrayList<>();

  /** Prepares all informers, besides that of pods, which is given; none runs yet. */
  MeshInformers(KubernetesClient client, MeshPublisher publisher, SharedIndexInformer<Pod> pods) {
    this.publisher = publisher;
    informers.add(forWaypoints(feed(pods, MeshIndex::put, MeshIndex::remove)));
    informers.add(
        told(
            BoundObject.Kind.SERVICE,
            forWaypoints(
                feeding(
                    client.services().inAnyNamespace(),
                    Trimming::annotations,
                    MeshIndex::put,
                    MeshIndex::remove))));
    informers.add(
        feeding(
            client.discovery().v1().endpointSlices().inAnyNamespace(),
            Trimming::annotations,
            MeshIndex::put,
            MeshIndex::remove));
    informers.add(feeding(client.nodes(), Trimming::node, MeshIndex::put, MeshIndex::remove));
    informers.add(
        forWaypoints(
            feeding(client.namespaces(), Trimming::namespace, MeshIndex::put, MeshIndex::remove)));
    informers.add(enrollments(client));
    whereDefined(
        client,
        "authorizationpolicies.security.istio.io",
        AuthorizationPolicy.class,
        () ->
            told(
                BoundObject.Kind.AUTHORIZATION_POLICY,
                forWaypoints(
                    feeding(
                        client.resources(AuthorizationPolicy.class).inAnyNamespace(),
                        Trimming::annotations,
                        MeshIndex::put,
                        MeshIndex::remove))));
    whereDefined(
        client,
        "peerauthentications.security.istio.io",
        PeerAuthentication.class,
        () ->
            feeding(
                client.resources(PeerAuthentication.class).inAnyNamespace(),
                Trimming::annotations,
                MeshIndex::put,
                MeshIndex::remove));
    whereDefined(
        client,
        "serviceentries.networking.istio.io",
        ServiceEntry.class,
        () ->
            told(
                BoundObject.Kind.SERVICE_ENTRY,
                forWaypoints(
                    feeding(
                        client.resources(ServiceEntry.class).inAnyNamespace(),
                        Trimming::annotations,
                        MeshIndex::put,
                        MeshIndex::remove))));
    whereDefined(
        client,
        "workloadentries.networking.istio.io",
        WorkloadEntry.class,
        () ->
            told(
                BoundObject.Kind.WORKLOAD_ENTRY,
                forWaypoints(
                    feeding(
                        client.resources(WorkloadEntry.class).inAnyNamespace(),
                        Trimming::annotations,
                        MeshIndex::put,
                        MeshIndex::remove))));
    whereDefined(
        client,
        "gateways.gateway.networking.k8s.io",
        Gateway.class,
        () ->
            forWaypoints(
                feeding(
                    client.resources(Gateway.class).inAnyNamespace(),
                    Trimming::annotations,
                    MeshIndex::put,
                    MeshIndex::remove)));
    whereDefined(
        client,
        "gatewayclasses.gateway.networking.k8s.io",
        GatewayClass.class,
        () ->
            forWaypoints(
                feeding(
                    client.resources(GatewayClass.class),
                    Trimming::annotations,
                    MeshIndex::put,
                    MeshIndex::remove)));
    forWaypoints(client);
  }

  /** The kinds that nobody but waypoints turns on. */
  private void forWaypoints(KubernetesClient client) {
    forWaypoints(client, "httproutes.gateway.networking.k8s.io", HTTPRoute.class);
    forWaypoints(client, "grpcroutes.gateway.networking.k8s.io", GRPCRoute.class);
    forWaypoints(client, "tlsroutes.gateway.networking.k8s.io", TLSRoute.class);
    forWaypoints(client, "tcproutes.gateway.networking.k8s.io", TCPRoute.class);
    forWaypoints(client, "referencegrants.gateway.networking.k8s.io", ReferenceGrant.class);
    whereDefined(
        client,
        "requestauthentications.security.istio.io",
        RequestAuthentication.class,
        () ->
            told(
                BoundObject.Kind.REQUEST_AUTHENTICATION,
                forWaypoints(
                    feeding(
                        client.resources(RequestAuthentication.class).inAnyNamespace(),
                        Trimming::annotations,
                        MeshIndex::put,
                        MeshIndex::remove))));
    toldAndForWaypoints(
        client, "telemetries.telemetry.istio.io", BoundObject.Kind.TELEMETRY, Telemetry.class);
    toldAndForWaypoints(
        client,
        "virtualservices.networking.istio.io",
        BoundObject.Kind.VIRTUAL_SERVICE,
        VirtualService.class);
    toldAndForWaypoints(
        client,
        "destinationrules.networking.istio.io",
        BoundObject.Kind.DESTINATION_RULE,
        DestinationRule.class);
  }

  /** In the version of the kind's own class, and in no other. */
  private void whereDefined(
      KubernetesClient client,
      String crd,
      Class<? extends HasMetadata> kind,
      Supplier<SharedIndexInformer<?>> informer) {
    String version = HasMetadata.getVersion(kind);
    optionalKinds.add(
        new OptionalKind(
            client,
            crd,
            served ->
                served.contains(version)
                    ? Optional.of(new OptionalKind.Watch(version, informer.get()))
                    : Optional.empty()));
  }

  private <T extends HasMetadata> SharedIndexInformer<T> told(
      BoundObject.Kind kind, SharedIndexInformer<T> informer) {
    boundObjects.add(kind, informer);
    return informer;
  }

  /** Those on whose status something can be said. */
  BoundObjects boundObjects() {
    return boundObjects;
  }

  /** Runs them; done once each has seen all there is. */
  CompletableFuture<Void> start() {
    List<CompletableFuture<?>> synced = new ArrayList<>();
    informers.forEach(informer -> synced.add(informer.start().toCompletableFuture()));
    optionalKinds.forEach(kind -> synced.add(kind.start()));
    return CompletableFuture.allOf(synced.toArray(CompletableFuture[]::new));
  }

  private <T extends HasMetadata> SharedIndexInformer<T> feeding(
      Informable<T> source,
      Consumer<T> trim,
      BiConsumer<MeshIndex, T> put,
      BiConsumer<MeshIndex, T> remove) {
    return feed(prepared(source, trim), put, remove);
  }

  private <T extends HasMetadata> SharedIndexInformer<T> feed(
      SharedIndexInformer<T> informer,
      BiConsumer<MeshIndex, T> put,
      BiConsumer<MeshIndex, T> remove) {
    informer.addEventHandler(
        new ResourceEventHandler<T>() {
          @Override
          public void onAdd(T added) {
            publisher.change(describe(added), index -> put.accept(index, added));
          }

          @Override
          public void onUpdate(T before, T after) {
            publisher.change(describe(after), index -> put.accept(index, after));
          }

          @Override
          public void onDelete(T deleted, boolean finalStateUnknown) {
            publisher.change(describe(deleted), index -> remove.accept(index, deleted));
          }
        });
    return informer;
  }

  /** What it sees, waypoints turn on too. */
  private <T extends HasMetadata> SharedIndexInformer<T> forWaypoints(
      SharedIndexInformer<T> informer) {
    return forWaypoints(informer, object -> object);
  }

  private <T extends HasMetadata> SharedIndexInformer<T> forWaypoints(
      SharedIndexInformer<T> informer, Function<T, HasMetadata> form) {
    informer.addEventHandler(
        new ResourceEventHandler<T>() {
          @Override
          public void onAdd(T added) {
            HasMetadata object = form.apply(added);
            publisher.changeWaypoints(describe(added), index -> index.put(object));
          }

          @Override
          public void onUpdate(T before, T after) {
            HasMetadata object = form.apply(after);
            publisher.changeWaypoints(describe(after), index -> index.put(object));
          }

          @Override
          public void onDelete(T deleted, boolean finalStateUnknown) {
            HasMetadata object = form.apply(deleted);
            publisher.changeWaypoints(describe(deleted), index -> index.remove(object));
          }
        });
    return informer;
  }

  /**
   * In the version of the kind's own class, or, where the cluster has that no more, in another one.
   */
  private <T extends HasMetadata> void forWaypoints(
      KubernetesClient client, String crd, Class<T> kind) {
    String own = HasMetadata.getVersion(kind);
    optionalKinds.add(
        new OptionalKind(
            client,
            crd,
            served ->
                Optional.of(
                    served.contains(own)
                        ? new OptionalKind.Watch(
                            own,
                            forWaypoints(
                                prepared(
                                    client.resources(kind).inAnyNamespace(),
                                    Trimming::annotations)))
                        : new OptionalKind.Watch(
                            served.getFirst(), forWaypoints(client, kind, served.getFirst())))));
  }

  private <T extends HasMetadata> SharedIndexInformer<GenericKubernetesResource> forWaypoints(
      KubernetesClient client, Class<T> kind, String version) {
    SharedIndexInformer<GenericKubernetesResource> informer =
        prepared(
            client
                .genericKubernetesResources(
                    new ResourceDefinitionContext.Builder()
                        .withGroup(HasMetadata.getGroup(kind))
                        .withVersion(version)
                        .withKind(HasMetadata.getKind(kind))
                        .withPlural(HasMetadata.getPlural(kind))
                        .withNamespaced(true)
                        .build())
                .inAnyNamespace(),
            Trimming::annotations);
    return forWaypoints(
        informer, object -> client.getKubernetesSerialization().convertValue(object, kind));
  }

  private <T extends HasMetadata> void toldAndForWaypoints(
      KubernetesClient client, String crd, BoundObject.Kind told, Class<T> kind) {
    whereDefined(
        client,
        crd,
        kind,
        () ->
            told(
                told,
                forWaypoints(
                    prepared(client.resources(kind).inAnyNamespace(), Trimming::annotations))));
  }

  private SharedIndexInformer<MeshEnrollment> enrollments(KubernetesClient client) {
    SharedIndexInformer<MeshEnrollment> informer =
        prepared(client.resources(MeshEnrollment.class).inAnyNamespace(), Trimming::annotations);
    informer.addEventHandler(
        new ResourceEventHandler<MeshEnrollment>() {
          /** By namespace; a status changes often, and this seldom. */
          private final Map<String, Set<String>> told = new ConcurrentHashMap<>();

          @Override
          public void onAdd(MeshEnrollment added) {
            changed(added);
          }

          @Override
          public void onUpdate(MeshEnrollment before, MeshEnrollment after) {
            changed(after);
          }

          @Override
          public void onDelete(MeshEnrollment deleted, boolean finalStateUnknown) {
            changed(deleted);
          }

          private void changed(MeshEnrollment enrollment) {
            String namespace = enrollment.getMetadata().getNamespace();
            // Only what the operator has released: a spec that is new or is only to be planned
            // changes nothing yet.
            Optional<InForce> inForce =
                EffectiveEnrollment.inForce(
                    informer.getIndexer().byIndex(Cache.NAMESPACE_INDEX, namespace));
            MtlsMode mode = inForce.map(MeshInformers::mode).orElse(MtlsMode.UNSET);
            boolean leftAlone = Boolean.FALSE.equals(inForce.map(InForce::udp).orElse(null));
            boolean watched =
                inForce.map(InForce::mtls).orElse(null) == EnrollmentMtls.STRICT_WHEN_QUIET;
            Optional<WhenMissing> whenMissing = inForce.map(InForce::whenMissing);
            Optional<String> waypoint = inForce.map(InForce::waypoint);
            Optional<String> next = inForce.map(InForce::nextWaypoint);
            publisher.change(
                describe(enrollment),
                index -> {
                  index.enrollmentMode(namespace, mode);
                  index.plaintextWatched(namespace, watched);
                  index.datagramsLeftAlone(namespace, leftAlone);
                  index.whenMissing(namespace, whenMissing);
                  index.enrollmentWaypoints(namespace, waypoint, next);
                });
            Set<String> names =
                Stream.concat(waypoint.stream(), next.stream())
                    .collect(Collectors.toUnmodifiableSet());
            Set<String> before =
                names.isEmpty() ? told.remove(namespace) : told.put(namespace, names);
            if (!names.equals(before == null ? Set.of() : before)) {
              // After that, since it is what a waypoint says of all that it was told by that.
              publisher.changeWaypoints(
                  describe(enrollment), index -> index.enrollmentWaypoints(namespace, names));
            }
          }
        });
    return informer;
  }

  private static MtlsMode mode(InForce inForce) {
    EnrollmentMtls mode = inForce.mtls();
    if (mode == null) {
      return MtlsMode.UNSET;
    }
    return switch (mode) {
      case PERMISSIVE, STRICT_WHEN_QUIET -> MtlsMode.PERMISSIVE;
      case STRICT -> MtlsMode.STRICT;
    };
  }

  static <T extends HasMetadata> SharedIndexInformer<T> prepared(
      Informable<T> source, Consumer<T> trim) {
    SharedIndexInformer<T> informer = source.runnableInformer(0);
    informer.itemStore(new TrimmedStore<>(trim));
    // With an initial state, if an empty one, the first list is not taken from what the API server
    // remembers, and the start is over only when the handlers have seen all of it. Else a replica
    // would take back from nodes what it has not come to yet.
    informer.initialState(Stream.empty());
    informer.exceptionHandler(
        (started, failure) -> {
          LOG.atWarn()
              .addKeyValue("kind", informer.getApiTypeClass().getSimpleName())
              .addKeyValue("started", started)
              .addKeyValue("problem", failure.toString())
              .log("an informer failed and will try again");
          return true;
        });
    return informer;
  }

  private static String describe(HasMetadata object) {
    return object.getKind()
        + " "
        + object.getMetadata().getNamespace()
        + "/"
        + object.getMetadata().getName();
  }

  @Override
  public void close() {
    optionalKinds.forEach(OptionalKind::close);
    informers.forEach(SharedIndexInformer::close);
  }
}
