package dev.ambit.agent.testing;

import dev.ambit.agent.cluster.Cluster;
import dev.ambit.agent.cluster.MeshState;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.capture.CaptureDecision;
import dev.ambit.capture.NamespaceFacts;
import dev.ambit.capture.PodFacts;
import dev.ambit.capture.Redirection;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A cluster in memory, whose caches may be ahead of or behind its API server. */
public final class FakeCluster implements Cluster {
  public final List<String> warnings = new CopyOnWriteArrayList<>();
  public final Map<String, Map<String, String>> namespaces = new ConcurrentHashMap<>();
  public volatile MeshState mesh = new MeshState.Present(AmbientMeshSpec.DEFAULTS);
  public volatile boolean away;
  public volatile @Nullable Boolean clean;

  private final Map<String, Pod> cached = new ConcurrentHashMap<>();
  private final Map<String, Pod> stored = new ConcurrentHashMap<>();
  private volatile Consumer<String> changed = uid -> {};

  /** A pod that is not in the cluster yet. */
  public static Pod pod(String namespace, String name, String... addresses) {
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(name)
        .withUid("uid-of-" + name)
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName("sa-of-" + name)
        .endSpec()
        .withNewStatus()
        .withPhase("Running")
        .withPodIPs(Arrays.stream(addresses).map(PodIP::new).toList())
        .endStatus()
        .build();
  }

  public void onChange(Consumer<String> listener) {
    changed = listener;
  }

  /** Known to the API server alone. */
  public void store(Pod pod) {
    stored.put(pod.getMetadata().getUid(), pod);
  }

  public void put(Pod pod) {
    store(pod);
    cached.put(pod.getMetadata().getUid(), pod);
    changed.accept(pod.getMetadata().getUid());
  }

  public void remove(Pod pod) {
    stored.remove(pod.getMetadata().getUid());
    cached.remove(pod.getMetadata().getUid());
    changed.accept(pod.getMetadata().getUid());
  }

  public void label(String namespace, @Nullable String mode) {
    namespaces.put(namespace, mode == null ? Map.of() : Map.of(WellKnown.DATAPLANE_MODE, mode));
    cached.keySet().forEach(changed);
  }

  public void mesh(MeshState state) {
    mesh = state;
    cached.keySet().forEach(changed);
  }

  public @Nullable String redirection(Pod pod) {
    return annotation(pod, WellKnown.REDIRECTION);
  }

  public @Nullable String draining(Pod pod) {
    return annotation(pod, WellKnown.DRAINING);
  }

  private @Nullable String annotation(Pod pod, String name) {
    var now = stored.get(pod.getMetadata().getUid());
    var annotations = now == null ? null : now.getMetadata().getAnnotations();
    return annotations == null ? null : annotations.get(name);
  }

  @Override
  public Optional<Pod> pod(String uid) {
    return Optional.ofNullable(cached.get(uid));
  }

  @Override
  public Collection<Pod> pods() {
    return cached.values();
  }

  @Override
  public Optional<Pod> fetch(String namespace, String name) {
    answer();
    return stored.values().stream()
        .filter(pod -> pod.getMetadata().getNamespace().equals(namespace))
        .filter(pod -> pod.getMetadata().getName().equals(name))
        .findFirst();
  }

  private void answer() {
    if (away) {
      throw new KubernetesClientException("connection refused");
    }
  }

  @Override
  public CaptureDecision decide(Pod pod) {
    return CaptureDecision.of(PodFacts.of(pod), facts(pod.getMetadata().getNamespace()));
  }

  private NamespaceFacts facts(String namespace) {
    return new NamespaceFacts(
        namespace,
        namespaces.getOrDefault(namespace, Map.of()),
        Set.of("kube-system", "ambit-system"),
        null);
  }

  @Override
  public Set<String> enrolledNamespaces() {
    return namespaces.keySet().stream()
        .filter(name -> CaptureDecision.capturesAll(facts(name)))
        .collect(Collectors.toSet());
  }

  @Override
  public MeshState mesh() {
    return mesh;
  }

  @Override
  public void writeRedirection(Pod pod, Redirection state) {
    answer();
    var uid = pod.getMetadata().getUid();
    var now = stored.get(uid);
    if (now == null) {
      return;
    }
    var annotations = new HashMap<String, String>();
    if (now.getMetadata().getAnnotations() != null) {
      annotations.putAll(now.getMetadata().getAnnotations());
    }
    state
        .annotations()
        .forEach(
            (name, value) -> {
              if (value == null) {
                annotations.remove(name);
              } else {
                annotations.put(name, value);
              }
            });
    var written = now.toBuilder().editMetadata().withAnnotations(annotations).endMetadata().build();
    stored.put(uid, written);
    if (cached.replace(uid, written) != null) {
      changed.accept(uid);
    }
  }

  @Override
  public void writeClean(boolean now) {
    answer();
    clean = now;
  }

  @Override
  public void warn(Pod pod, String reason, String message) {
    warnings.add(pod.getMetadata().getName() + " " + reason + ": " + message);
  }
}
