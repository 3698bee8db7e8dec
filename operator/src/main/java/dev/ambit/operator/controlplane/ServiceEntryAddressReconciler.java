package dev.ambit.operator.controlplane;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.NamespaceGone;
import dev.ambit.operator.model.AddressLedger;
import dev.ambit.operator.model.AddressLedger.HostAddress;
import dev.ambit.operator.model.ServiceEntries;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntryAddress;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.ServiceEntryBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.api.reconciler.ControllerConfiguration;
import io.javaoperatorsdk.operator.api.reconciler.EventSourceContext;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.api.reconciler.UpdateControl;
import io.javaoperatorsdk.operator.processing.event.source.EventSource;
import io.javaoperatorsdk.operator.processing.event.source.IndexerResourceCache;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes addresses of the mesh's own to the status of ServiceEntries whose hosts have none, so that
 * there is something for their names to resolve to.
 */
@ControllerConfiguration(
    name = "serviceentry-addresses",
    fieldManager = ServiceEntryAddressReconciler.FIELD_MANAGER)
public final class ServiceEntryAddressReconciler implements Reconciler<ServiceEntry> {
  /** Owns the addresses of a ServiceEntry's status. */
  public static final String FIELD_MANAGER = "ambit-addresses";

  private static final Logger LOG = LoggerFactory.getLogger(ServiceEntryAddressReconciler.class);

  private final EventRecorder events;

  // Guarded by this.
  private final AddressLedger ledger = new AddressLedger();
  private boolean seeded;
  private @Nullable IndexerResourceCache<ServiceEntry> entries;

  /** For one term as the leader: two that allocate at once would give out the same. */
  public ServiceEntryAddressReconciler(EventRecorder events) {
    this.events = events;
  }

  @Override
  public List<EventSource<?, ServiceEntry>> prepareEventSources(
      EventSourceContext<ServiceEntry> context) {
    entries = context.getPrimaryCache();
    return List.of();
  }

  @Override
  public UpdateControl<ServiceEntry> reconcile(ServiceEntry entry, Context<ServiceEntry> context) {
    Optional<List<HostAddress>> due = due(entry);
    if (due.isPresent()) {
      write(entry, due.get(), context);
      int hosts = ServiceEntries.hostsToAllocate(entry).size();
      if (due.get().size() < 2 * hosts) {
        events.warning(
            entry,
            "AddressesExhausted",
            "No address of 240.240.0.0/16 or 2001:2::/48 is free for some of its hosts; give it"
                + " spec.addresses, or delete ServiceEntries that are not used.");
      }
    }
    return UpdateControl.noUpdate();
  }

  /** Nothing is given out before all that is in use is known. */
  private synchronized Optional<List<HostAddress>> due(ServiceEntry entry) {
    if (!seeded) {
      Objects.requireNonNull(entries, "event sources are prepared before reconciling")
          .list()
          .forEach(ledger::learn);
      seeded = true;
    }
    return ledger.due(entry);
  }

  private static void write(
      ServiceEntry entry, List<HostAddress> addresses, Context<ServiceEntry> context) {
    ServiceEntry applied =
        new ServiceEntryBuilder()
            .withNewMetadata()
            .withNamespace(entry.getMetadata().getNamespace())
            .withName(entry.getMetadata().getName())
            .endMetadata()
            .withNewStatus()
            .withAddresses(
                addresses.stream()
                    .map(address -> new ServiceEntryAddress(address.host(), address.value()))
                    .toList())
            .endStatus()
            .build();
    try {
      FieldManager.applyStatus(context.getClient(), applied, FIELD_MANAGER);
    } catch (KubernetesClientException e) {
      if (NamespaceGone.isCauseOf(e)) {
        return;
      }
      throw e;
    }
    LOG.atInfo()
        .addKeyValue("namespace", entry.getMetadata().getNamespace())
        .addKeyValue("name", entry.getMetadata().getName())
        .addKeyValue("addresses", addresses.size())
        .log("gave a ServiceEntry addresses");
  }
}
