package dev.ambit.operator.controlplane;

import dev.ambit.operator.model.BoundObject;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.informers.cache.Cache;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** The objects on whose status something can be said, as the informers have them. Thread-safe. */
final class BoundObjects {
  private final Map<BoundObject.Kind, SharedIndexInformer<? extends HasMetadata>> informers =
      new ConcurrentHashMap<>();

  void add(BoundObject.Kind kind, SharedIndexInformer<? extends HasMetadata> informer) {
    informers.put(kind, informer);
  }

  Optional<HasMetadata> cached(BoundObject object) {
    return Optional.ofNullable(informers.get(object.kind()))
        .map(informer -> informer.getStore().getByKey(object.namespace() + "/" + object.name()));
  }

  Stream<? extends HasMetadata> all() {
    return informers.values().stream().flatMap(informer -> informer.getStore().list().stream());
  }

  /** The policies of a namespace that are judged. */
  Stream<HasMetadata> policies(String namespace) {
    return Stream.of(BoundObject.Kind.AUTHORIZATION_POLICY, BoundObject.Kind.REQUEST_AUTHENTICATION)
        .map(informers::get)
        .filter(informer -> informer != null)
        .flatMap(
            informer ->
                informer.getIndexer().byIndex(Cache.NAMESPACE_INDEX, namespace).stream()
                    .map(HasMetadata.class::cast));
  }

  static BoundObject key(HasMetadata object) {
    BoundObject.Kind kind =
        switch (object) {
          case Service _ -> BoundObject.Kind.SERVICE;
          case ServiceEntry _ -> BoundObject.Kind.SERVICE_ENTRY;
          case WorkloadEntry _ -> BoundObject.Kind.WORKLOAD_ENTRY;
          case VirtualService _ -> BoundObject.Kind.VIRTUAL_SERVICE;
          case DestinationRule _ -> BoundObject.Kind.DESTINATION_RULE;
          case Telemetry _ -> BoundObject.Kind.TELEMETRY;
          case AuthorizationPolicy _ -> BoundObject.Kind.AUTHORIZATION_POLICY;
          case RequestAuthentication _ -> BoundObject.Kind.REQUEST_AUTHENTICATION;
          default -> throw new IllegalArgumentException("nothing is said on a " + object.getKind());
        };
    return new BoundObject(
        kind, object.getMetadata().getNamespace(), object.getMetadata().getName());
  }
}
