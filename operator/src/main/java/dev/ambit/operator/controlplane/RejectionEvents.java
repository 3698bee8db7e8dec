package dev.ambit.operator.controlplane;

import dev.ambit.operator.EventRecorder;
import dev.ambit.operator.xds.RejectionListener.Rejection;
import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Has all replicas hear of what waypoints reject, whichever replica a waypoint is connected to: the
 * one that hears of it says it by an Event on the waypoint's Gateway, which all of them watch.
 * Versions are hashes of contents, so each knows whether it is about what it would send itself.
 */
public final class RejectionEvents implements AutoCloseable {
  /** By which these Events are known. */
  static final String REASON = "ConfigurationRejected";

  private static final String LABEL = "ambit.dev/rejection";
  private static final String TYPE = "ambit.dev/resource-type";
  private static final String NAME = "ambit.dev/resource-name";
  private static final String VERSION = "ambit.dev/resource-version";

  private static final Logger LOG = LoggerFactory.getLogger(RejectionEvents.class);

  /** An Envoy that connects again rejects again. */
  private static final int MOST_REMEMBERED = 1000;

  private static final int MOST_EVENTS = 5;

  private final KubernetesClient client;
  private final EventRecorder events;
  private final ControlPlane controlPlane;
  private final AutoCloseable subscription;
  private final SharedIndexInformer<Event> informer;
  private final ExecutorService executor =
      Executors.newSingleThreadExecutor(Thread.ofPlatform().name("rejections").daemon().factory());

  /** What was said already; confined to the executor's thread. */
  private final Map<String, Boolean> said =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
          return size() > MOST_REMEMBERED;
        }
      };

  /** Begins to tell, and to watch. */
  public RejectionEvents(KubernetesClient client, EventRecorder events, ControlPlane controlPlane) {
    this.client = client;
    this.events = events;
    this.controlPlane = controlPlane;
    this.subscription = controlPlane.onRejection(this::enqueue);
    this.informer =
        MeshInformers.prepared(client.v1().events().inAnyNamespace().withLabel(LABEL), _ -> {});
    informer.addEventHandler(
        new ResourceEventHandler<Event>() {
          @Override
          public void onAdd(Event added) {
            hear(added);
          }

          @Override
          public void onUpdate(Event before, Event after) {
            hear(after);
          }

          @Override
          public void onDelete(Event deleted, boolean finalStateUnknown) {
            // What it told of is over once something else is sent.
          }
        });
    var started = informer.start();
  }

  private void enqueue(Rejection rejection) {
    if (rejection.realm().equals(MeshTypes.NODES)) {
      return;
    }
    try {
      executor.execute(() -> tell(rejection));
    } catch (RejectedExecutionException e) {
      // This replica ends; the Envoy says it again to another.
    }
  }

  private void tell(Rejection rejection) {
    String realm = rejection.realm();
    int slash = realm.indexOf('/');
    try {
      Gateway gateway =
          client
              .resources(Gateway.class)
              .inNamespace(realm.substring(0, slash))
              .withName(realm.substring(slash + 1))
              .get();
      if (gateway == null) {
        return;
      }
      rejection.versions().entrySet().stream()
          .filter(each -> !each.getValue().isEmpty())
          .filter(
              each ->
                  said.put(
                          realm + rejection.typeUrl() + each.getKey() + each.getValue(),
                          Boolean.TRUE)
                      == null)
          .limit(MOST_EVENTS)
          .forEach(
              each ->
                  events.warning(
                      gateway,
                      REASON,
                      introduction(each.getKey()) + rejection.error(),
                      Map.of(LABEL, "true"),
                      Map.of(
                          TYPE, rejection.typeUrl(),
                          NAME, each.getKey(),
                          VERSION, each.getValue())));
    } catch (KubernetesClientException e) {
      LOG.atWarn()
          .addKeyValue("gateway", realm)
          .setCause(e)
          .log("cannot say on a Gateway what its waypoint rejects");
    }
  }

  private void hear(Event event) {
    Map<String, String> annotations = event.getMetadata().getAnnotations();
    var about = event.getInvolvedObject();
    if (!REASON.equals(event.getReason())
        || annotations == null
        || about == null
        || !"Gateway".equals(about.getKind())
        || !java.util.Objects.equals(about.getNamespace(), event.getMetadata().getNamespace())) {
      return;
    }
    String type = annotations.get(TYPE);
    String name = annotations.get(NAME);
    String version = annotations.get(VERSION);
    if (type == null || name == null || version == null) {
      return;
    }
    String message = event.getMessage() == null ? "" : event.getMessage();
    String error =
        message.startsWith(introduction(name))
            ? message.substring(introduction(name).length())
            : message;
    controlPlane.heard(
        new Rejection(
            about.getNamespace() + "/" + about.getName(), "", type, error, Map.of(name, version)));
  }

  /** What stands before the error in what a person reads. */
  private static String introduction(String name) {
    return "Envoy does not take \"" + name + "\": ";
  }

  @Override
  public void close() throws Exception {
    subscription.close();
    informer.close();
    executor.shutdownNow();
  }
}
