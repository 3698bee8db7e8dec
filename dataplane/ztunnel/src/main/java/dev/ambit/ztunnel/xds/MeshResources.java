package dev.ambit.ztunnel.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.workload.Address;
import dev.ambit.ztunnel.identity.TrustDomains;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.policy.PolicyStore;
import dev.ambit.ztunnel.state.InvalidResourceException;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.util.ArrayList;
import java.util.List;

/** The two kinds of resources that a ztunnel subscribes to. */
public final class MeshResources {
  /** The type of workloads and services. */
  public static final String ADDRESS = "type.googleapis.com/istio.workload.Address";

  private static final String AUTHORIZATION = "type.googleapis.com/istio.security.Authorization";

  private MeshResources() {}

  private sealed interface Entry {
    record OfWorkload(MeshWorkload workload) implements Entry {}

    record OfService(MeshService service) implements Entry {}
  }

  /** Workloads and services. */
  public static ResourceType<?> addresses(MeshStore store) {
    return new ResourceType<>(
        ADDRESS, MeshResources::readAddress, (changed, removed) -> apply(store, changed, removed));
  }

  /** Authorization policies. */
  public static ResourceType<Policy> authorizations(PolicyStore store, TrustDomains domains) {
    return new ResourceType<>(
        AUTHORIZATION,
        (name, bytes) -> readPolicy(name, bytes, domains),
        Policy::complaint,
        store::apply);
  }

  private static Entry readAddress(String name, ByteString bytes)
      throws InvalidProtocolBufferException {
    Address address = Address.parseFrom(bytes);
    return switch (address.getTypeCase()) {
      case WORKLOAD -> {
        MeshWorkload workload = MeshWorkload.of(address.getWorkload());
        requireName(name, workload.uid());
        yield new Entry.OfWorkload(workload);
      }
      case SERVICE -> {
        MeshService service = MeshService.of(address.getService());
        requireName(name, service.key().toString());
        yield new Entry.OfService(service);
      }
      case TYPE_NOT_SET ->
          throw new InvalidResourceException("it is neither a workload nor a service");
    };
  }

  private static Policy readPolicy(String name, ByteString bytes, TrustDomains domains)
      throws InvalidProtocolBufferException {
    Policy policy = Policy.of(Authorization.parseFrom(bytes), domains);
    requireName(name, policy.name());
    return policy;
  }

  /** A resource is removed by its name, so one that goes by another could never be. */
  private static void requireName(String name, String own) {
    if (!name.equals(own)) {
      throw new InvalidResourceException("it calls itself '" + own + "'");
    }
  }

  private static void apply(MeshStore store, List<Entry> changed, List<String> removed) {
    List<MeshWorkload> workloads = new ArrayList<>(changed.size());
    List<MeshService> services = new ArrayList<>();
    for (Entry entry : changed) {
      switch (entry) {
        case Entry.OfWorkload(MeshWorkload workload) -> workloads.add(workload);
        case Entry.OfService(MeshService service) -> services.add(service);
      }
    }
    store.apply(workloads, services, removed);
  }
}
