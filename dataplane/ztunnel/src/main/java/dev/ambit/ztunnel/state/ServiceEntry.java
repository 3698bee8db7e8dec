package dev.ambit.ztunnel.state;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A service together with its endpoints. Either may arrive first: endpoints are kept for a service
 * that is not known yet. Written by one thread at a time under the store's lock, read by any.
 */
final class ServiceEntry {
  final ServiceKey key;
  private volatile @Nullable MeshService service;
  private volatile ServiceEndpoint[] published = {};
  private volatile boolean equalCapacity = true;
  private final Map<String, ServiceEndpoint> endpoints = new LinkedHashMap<>();
  private boolean stale;

  ServiceEntry(ServiceKey key) {
    this.key = key;
  }

  @Nullable MeshService service() {
    return service;
  }

  void setService(@Nullable MeshService service) {
    this.service = service;
  }

  /** The endpoints, as of the last {@link #publish}. Not to be changed. */
  ServiceEndpoint[] endpoints() {
    return published;
  }

  /** Whether every endpoint takes the same share of load. */
  boolean hasEqualCapacity() {
    return equalCapacity;
  }

  void putEndpoint(MeshWorkload workload, List<PortMapping> ports) {
    endpoints.put(workload.uid(), new ServiceEndpoint(workload, ports));
    stale = true;
  }

  void removeEndpoint(String uid) {
    if (endpoints.remove(uid) != null) {
      stale = true;
    }
  }

  /** Lets readers see the endpoints as they now are: once for a batch, since it copies them. */
  void publish() {
    if (stale) {
      stale = false;
      ServiceEndpoint[] copy = endpoints.values().toArray(new ServiceEndpoint[0]);
      boolean equal = true;
      for (ServiceEndpoint endpoint : copy) {
        equal &= endpoint.workload().capacity() == copy[0].workload().capacity();
      }
      equalCapacity = equal && (copy.length == 0 || copy[0].workload().capacity() != 0);
      published = copy;
    }
  }

  boolean isEmpty() {
    return service == null && endpoints.isEmpty();
  }

  /** A workload as an endpoint, with its own port mapping. */
  record ServiceEndpoint(MeshWorkload workload, List<PortMapping> ports) {}
}
