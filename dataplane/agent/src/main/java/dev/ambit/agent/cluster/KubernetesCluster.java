package dev.ambit.agent.cluster;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.EffectiveEnrollment;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.DataplaneMode;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.EventBuilder;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The cluster through informers of the API server. */
public final class KubernetesCluster implements Cluster, AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(KubernetesCluster.class);

  private static final String UID = "uid";
  private static final String NAMESPACE = "namespace-of-object";

  /** The same warning about the same pod is not repeated within this time. */
  private static final Duration REPEAT_WARNING = Duration.ofMinutes(5);

  private static final int REQUEST_SECONDS = 10;

  private final KubernetesClient client;
  private final String node;
  private final String ownNamespace;
  private final String ownPod;
  private final SharedIndexInformer<Pod> pods;
  private final SharedIndexInformer<Namespace> namespaces;
  private final SharedIndexInformer<MeshEnrollment> enrollments;
  private final SharedIndexInformer<AmbientMesh> meshes;
  private final Map<String, Instant> warned = new ConcurrentHashMap<>();

  /**
   * Prepares the informers.
   *
   * @param ownNamespace Ambit's root namespace, whose pods are never captured
   * @param podChanged called with the UID of each pod for which something may have changed
   * @param meshChanged called when anything else than a single pod has changed
   */
  public KubernetesCluster(
      KubernetesClient client,
      String node,
      String ownNamespace,
      String ownPod,
      Consumer<String> podChanged,
      Runnable meshChanged) {
    this(
        client,
        client.pods().inAnyNamespace().withField("spec.nodeName", node).runnableInformer(0),
        node,
        ownNamespace,
        ownPod,
        podChanged,
        meshChanged);
  }

  KubernetesCluster(
      KubernetesClient client,
      SharedIndexInformer<Pod> pods,
      String node,
      String ownNamespace,
      String ownPod,
      Consumer<String> podChanged,
      Runnable meshChanged) {
    this.client = client;
    this.node = node;
    this.ownNamespace = ownNamespace;
    this.ownPod = ownPod;
    this.pods = pods;
    this.namespaces = client.namespaces().runnableInformer(0);
    this.enrollments = client.resources(MeshEnrollment.class).inAnyNamespace().runnableInformer(0);
    this.meshes = client.resources(AmbientMesh.class).runnableInformer(0);
    pods.addIndexers(
        Map.of(
            UID, pod -> List.of(pod.getMetadata().getUid()),
            NAMESPACE, pod -> List.of(pod.getMetadata().getNamespace())));
    enrollments.addIndexers(
        Map.of(NAMESPACE, enrollment -> List.of(enrollment.getMetadata().getNamespace())));
    Runnable all =
        () -> {
          pods.getStore().list().forEach(pod -> podChanged.accept(pod.getMetadata().getUid()));
          meshChanged.run();
        };
    pods.addEventHandler(
        onChange(
            pod -> {
              podChanged.accept(pod.getMetadata().getUid());
              meshChanged.run();
            }));
    namespaces.addEventHandler(
        onChange(
            namespace -> {
              podsOf(namespace.getMetadata().getName(), podChanged);
              meshChanged.run();
            }));
    enrollments.addEventHandler(
        onChange(
            enrollment -> {
              podsOf(enrollment.getMetadata().getNamespace(), podChanged);
              meshChanged.run();
            }));
    meshes.addEventHandler(onChange(mesh -> all.run()));
  }

  private void podsOf(String namespace, Consumer<String> podChanged) {
    pods.getIndexer()
        .byIndex(NAMESPACE, namespace)
        .forEach(pod -> podChanged.accept(pod.getMetadata().getUid()));
  }

  private static <T> ResourceEventHandler<T> onChange(Consumer<T> changed) {
    return new ResourceEventHandler<>() {
      @Override
      public void onAdd(T object) {
        changed.accept(object);
      }

      @Override
      public void onUpdate(T before, T now) {
        changed.accept(now);
      }

      @Override
      public void onDelete(T object, boolean finalStateUnknown) {
        changed.accept(object);
      }
    };
  }

  /** Starts to fill the caches, trying until the API server answers. */
  public void start() {
    for (var informer : List.of(namespaces, enrollments, meshes, pods)) {
      start(informer);
    }
  }

  private static <T extends HasMetadata> void start(SharedIndexInformer<T> informer) {
    informer.exceptionHandler(
        (started, cause) -> {
          LOG.atWarn()
              .addKeyValue("kind", informer.getApiTypeClass().getSimpleName())
              .addKeyValue("reason", cause.getMessage())
              .log("cannot watch the API server; the cache stays as it is until that works");
          return true;
        });
    var unused = informer.start();
  }

  /** Whether every cache has been filled once. */
  public boolean synced() {
    return pods.hasSynced()
        && namespaces.hasSynced()
        && enrollments.hasSynced()
        && meshes.hasSynced();
  }

  @Override
  public Optional<Pod> pod(String uid) {
    return pods.getIndexer().byIndex(UID, uid).stream().findFirst();
  }

  @Override
  public Collection<Pod> pods() {
    return pods.getStore().list();
  }

  @Override
  public Optional<Pod> fetch(String namespace, String name) {
    return Optional.ofNullable(client.pods().inNamespace(namespace).withName(name).get());
  }

  @Override
  public CaptureDecision decide(Pod pod) {
    return CaptureDecision.of(PodFacts.of(pod), namespace(pod.getMetadata().getNamespace()));
  }

  private NamespaceFacts namespace(String name) {
    var namespace = namespaces.getStore().getByKey(name);
    if (namespace == null) {
      // A namespace so new that the cache lacks it, or one that is gone with its pods still ending.
      namespace = client.namespaces().withName(name).get();
    }
    return facts(name, namespace);
  }

  private NamespaceFacts facts(String name, @Nullable Namespace namespace) {
    var labels = namespace == null ? null : namespace.getMetadata().getLabels();
    return new NamespaceFacts(
        name, labels == null ? Map.of() : labels, excludedNamespaces(), cut(name));
  }

  private @Nullable Integer cut(String namespace) {
    return EffectiveEnrollment.inForce(enrollments.getIndexer().byIndex(NAMESPACE, namespace))
        .map(InForce::cut)
        .orElse(null);
  }

  private Set<String> excludedNamespaces() {
    var spec =
        switch (mesh()) {
          case MeshState.Absent absent -> AmbientMeshSpec.DEFAULTS;
          case MeshState.Present present -> present.spec();
          case MeshState.Leaving leaving -> leaving.spec();
        };
    var excluded = new LinkedHashSet<>(spec.excludedNamespaces());
    excluded.add(ownNamespace);
    return excluded;
  }

  @Override
  public Set<String> enrolledNamespaces() {
    var enrolled = new TreeSet<String>();
    // Those in which every pod that may come is captured. A pod whose step may not have come yet is
    // not held back.
    for (var namespace : namespaces.getStore().list()) {
      var name = namespace.getMetadata().getName();
      if (CaptureDecision.capturesAll(facts(name, namespace))) {
        enrolled.add(name);
      }
    }
    for (var pod : pods.getStore().list()) {
      var name = pod.getMetadata().getNamespace();
      if (!enrolled.contains(name)
          && DataplaneMode.of(PodFacts.of(pod).labels()) == DataplaneMode.AMBIENT
          && CaptureDecision.of(PodFacts.of(pod), facts(name, namespaces.getStore().getByKey(name)))
              instanceof CaptureDecision.Captured) {
        enrolled.add(name);
      }
    }
    return enrolled;
  }

  @Override
  public MeshState mesh() {
    var mesh = meshes.getStore().getByKey(WellKnown.DEFAULT_NAME);
    if (mesh == null) {
      return new MeshState.Absent();
    }
    return mesh.getMetadata().getDeletionTimestamp() == null
        ? new MeshState.Present(mesh.effectiveSpec())
        : new MeshState.Leaving(mesh.effectiveSpec());
  }

  @Override
  public void writeRedirection(Pod pod, Redirection state) {
    patchAnnotations(
        pod.getMetadata().getNamespace(),
        pod.getMetadata().getName(),
        pod.getMetadata().getUid(),
        state.annotations());
  }

  @Override
  public void writeClean(boolean clean) {
    var annotations = new LinkedHashMap<String, @Nullable String>();
    annotations.put(WellKnown.AGENT_CLEAN, clean ? "true" : null);
    patchAnnotations(ownNamespace, ownPod, null, annotations);
  }

  /** With a UID, a pod that has taken the name of the one meant is left alone. */
  private void patchAnnotations(
      String namespace,
      String name,
      @Nullable String uid,
      Map<String, @Nullable String> annotations) {
    var metadata = new LinkedHashMap<String, Object>();
    if (uid != null) {
      metadata.put("uid", uid);
    }
    metadata.put("annotations", annotations);
    var patch = client.getKubernetesSerialization().asJson(Map.of("metadata", metadata));
    // Sent as it is: the client's own patch reads the object first and sends what differs from it.
    int status =
        send(
            "%sapi/v1/namespaces/%s/pods/%s/status"
                .formatted(client.getMasterUrl(), namespace, name),
            patch);
    if (status == HttpURLConnection.HTTP_NOT_FOUND || status == HttpURLConnection.HTTP_CONFLICT) {
      LOG.atDebug()
          .addKeyValue("namespace", namespace)
          .addKeyValue("name", name)
          .log("the pod is gone or has been replaced: its annotations are not written");
    } else if (status >= 300) {
      throw new KubernetesClientException(
          "the API server refuses the annotations %s of pod %s/%s: status %d"
              .formatted(annotations, namespace, name, status));
    }
  }

  private int send(String uri, String patch) {
    var http = client.getHttpClient();
    var request =
        http.newHttpRequestBuilder()
            .uri(uri)
            .timeout(REQUEST_SECONDS, TimeUnit.SECONDS)
            .method("PATCH", "application/merge-patch+json", patch)
            .build();
    try {
      return http.sendAsync(request, String.class)
          .get(2L * REQUEST_SECONDS, TimeUnit.SECONDS)
          .code();
    } catch (ExecutionException | TimeoutException e) {
      throw new KubernetesClientException("the API server does not answer: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new KubernetesClientException("the agent is ending", e);
    }
  }

  @Override
  public void warn(Pod pod, String reason, String message) {
    var now = Instant.now().truncatedTo(ChronoUnit.SECONDS);
    warned.values().removeIf(at -> at.plus(REPEAT_WARNING).isBefore(now));
    if (warned.putIfAbsent(pod.getMetadata().getUid() + " " + reason + " " + message, now)
        != null) {
      return;
    }
    var metadata = pod.getMetadata();
    var event =
        new EventBuilder()
            .withNewMetadata()
            .withGenerateName(metadata.getName() + ".")
            .withNamespace(metadata.getNamespace())
            .endMetadata()
            .withNewInvolvedObject()
            .withApiVersion("v1")
            .withKind("Pod")
            .withNamespace(metadata.getNamespace())
            .withName(metadata.getName())
            .withUid(metadata.getUid())
            .endInvolvedObject()
            .withType("Warning")
            .withReason(reason)
            .withMessage(message)
            .withNewSource()
            .withComponent("ambit-agent")
            .withHost(node)
            .endSource()
            .withReportingComponent("ambit.dev/agent")
            .withReportingInstance(ownPod)
            .withFirstTimestamp(now.toString())
            .withLastTimestamp(now.toString())
            .withCount(1)
            .build();
    try {
      client.v1().events().inNamespace(metadata.getNamespace()).resource(event).create();
    } catch (RuntimeException e) {
      LOG.atWarn()
          .addKeyValue("namespace", metadata.getNamespace())
          .addKeyValue("name", metadata.getName())
          .addKeyValue("message", message)
          .setCause(e)
          .log("cannot write an event");
    }
  }

  @Override
  public void close() {
    for (var informer : List.of(pods, namespaces, enrollments, meshes)) {
      informer.close();
    }
  }
}
