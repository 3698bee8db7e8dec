package dev.ambit.operator;

import io.fabric8.kubernetes.api.model.Event;
import io.fabric8.kubernetes.api.model.EventBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes Kubernetes Events, for what a person would want to know. */
public final class EventRecorder {
  private static final Logger LOG = LoggerFactory.getLogger(EventRecorder.class);

  /** What the API server accepts as an event's note. */
  private static final int LONGEST_MESSAGE = 1024;

  /** Where events of cluster-scoped objects go. */
  private static final String CLUSTER_SCOPED = "default";

  private final KubernetesClient client;
  private final String instance;
  private final InstantSource clock;

  /**
   * @param instance the name of the pod that writes
   */
  public EventRecorder(KubernetesClient client, String instance, InstantSource clock) {
    this.client = client;
    this.instance = instance;
    this.clock = clock;
  }

  /** Records what went as it should. */
  public void normal(HasMetadata about, String reason, String message) {
    record(about, "Normal", reason, message, Map.of(), Map.of());
  }

  /** Records what a person should look at. */
  public void warning(HasMetadata about, String reason, String message) {
    record(about, "Warning", reason, message, Map.of(), Map.of());
  }

  /** Likewise, with labels and annotations for programs. */
  public void warning(
      HasMetadata about,
      String reason,
      String message,
      Map<String, String> labels,
      Map<String, String> annotations) {
    record(about, "Warning", reason, message, labels, annotations);
  }

  private void record(
      HasMetadata about,
      String type,
      String reason,
      String message,
      Map<String, String> labels,
      Map<String, String> annotations) {
    String objectNamespace = about.getMetadata().getNamespace();
    String name = about.getMetadata().getName();
    String now = clock.instant().truncatedTo(ChronoUnit.SECONDS).toString();
    Event event =
        new EventBuilder()
            .withNewMetadata()
            .withNamespace(objectNamespace == null ? CLUSTER_SCOPED : objectNamespace)
            .withName(name + "." + UUID.randomUUID())
            .withLabels(labels)
            .withAnnotations(annotations)
            .endMetadata()
            .withNewInvolvedObject()
            .withApiVersion(about.getApiVersion())
            .withKind(about.getKind())
            .withNamespace(objectNamespace)
            .withName(name)
            .withUid(about.getMetadata().getUid())
            .endInvolvedObject()
            .withType(type)
            .withReason(reason)
            .withMessage(
                message.length() > LONGEST_MESSAGE
                    ? message.substring(0, LONGEST_MESSAGE - 1) + "…"
                    : message)
            .withFirstTimestamp(now)
            .withLastTimestamp(now)
            .withCount(1)
            .withReportingComponent("ambit-operator")
            .withReportingInstance(instance)
            .withNewSource()
            .withComponent("ambit-operator")
            .endSource()
            .build();
    try {
      client.v1().events().resource(event).create();
    } catch (KubernetesClientException e) {
      if (!NamespaceGone.isCauseOf(e)) {
        // An event is news, not state: what it tells is in the object's conditions too.
        LOG.atWarn()
            .addKeyValue("namespace", objectNamespace)
            .addKeyValue("name", name)
            .addKeyValue("reason", reason)
            .setCause(e)
            .log("could not record an event");
      }
    }
  }
}
