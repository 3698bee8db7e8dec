package dev.ambit.k3s;

import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.WellKnown;
import io.fabric8.kubernetes.api.model.ContainerStatus;
import io.fabric8.kubernetes.api.model.ContainerStatusBuilder;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.PodConditionBuilder;
import io.fabric8.kubernetes.api.model.PodIP;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.time.Duration;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Nodes without a machine: their kubelets say that whatever is on them runs and has ended, and
 * their node agents say of pods in enrolled namespaces that they are captured.
 */
final class SimulatedNodes implements AutoCloseable {
  static final String PREFIX = "simulated-";

  private static final Logger LOG = LoggerFactory.getLogger(SimulatedNodes.class);
  private static final String LEASES = "kube-node-lease";
  private static final int PODS_EACH = 250;
  private static final Duration AGAIN = Duration.ofSeconds(1);

  private final KubernetesClient client;
  private final String hostAddress;
  private final List<String> names;
  private final Map<String, String> addresses = new ConcurrentHashMap<>();
  private final AtomicInteger nextAddress = new AtomicInteger();
  private final ExecutorService kubelets = Executors.newFixedThreadPool(16);
  private final ScheduledExecutorService heartbeats = Executors.newSingleThreadScheduledExecutor();
  private final SharedIndexInformer<MeshEnrollment> enrollments;
  private final SharedIndexInformer<Pod> pods;

  /**
   * Makes the nodes.
   *
   * @param hostAddress of the machine whose network has the pods' addresses
   */
  SimulatedNodes(KubernetesClient client, int count, String hostAddress) {
    this.client = client;
    this.hostAddress = hostAddress;
    this.names = IntStream.range(0, count).mapToObj(i -> PREFIX + i).toList();
    try {
      names.forEach(this::create);
    } catch (RuntimeException e) {
      // Else DaemonSets would wait for them as long as the cluster is there.
      removeNodes();
      throw e;
    }
    heartbeats.scheduleWithFixedDelay(this::beat, 0, 10, TimeUnit.SECONDS);
    enrollments =
        client
            .resources(MeshEnrollment.class)
            .inAnyNamespace()
            .inform(handler(enrollment -> agentsLookAt(enrollment.getMetadata().getNamespace())));
    pods = client.pods().inAnyNamespace().inform(handler(this::look));
  }

  /** The address that a pod, of which no other is known yet, will have. */
  String address(String namespace, String pod) {
    return addresses.computeIfAbsent(
        namespace + "/" + pod,
        any -> {
          int next = nextAddress.getAndIncrement();
          return "10.200.%d.%d".formatted(next / PODS_EACH, next % PODS_EACH + 1);
        });
  }

  String name(int index) {
    return names.get(index % names.size());
  }

  private void removeNodes() {
    names.forEach(name -> client.nodes().withName(name).delete());
    names.forEach(name -> client.leases().inNamespace(LEASES).withName(name).delete());
  }

  private void create(String name) {
    var capacity =
        Map.of(
            "cpu", new Quantity("64"),
            "memory", new Quantity("256Gi"),
            "pods", new Quantity(Integer.toString(PODS_EACH)));
    client
        .nodes()
        .resource(
            new NodeBuilder()
                .withNewMetadata()
                .withName(name)
                .addToLabels("kubernetes.io/hostname", name)
                .addToLabels("kubernetes.io/os", "linux")
                .endMetadata()
                .withNewSpec()
                .addNewTaint("NoSchedule", "test.ambit.dev/simulated", null, "yes")
                .endSpec()
                .build())
        .serverSideApply();
    var status =
        new NodeBuilder()
            .withNewStatus()
            .withCapacity(capacity)
            .withAllocatable(capacity)
            .addNewAddress(hostAddress, "InternalIP")
            .addNewCondition()
            .withType("Ready")
            .withStatus("True")
            .withReason("Simulated")
            .withMessage("it is simulated")
            .withLastHeartbeatTime(now().toInstant().toString())
            .withLastTransitionTime(now().toInstant().toString())
            .endCondition()
            .endStatus()
            .build();
    client
        .nodes()
        .withName(name)
        .subresource("status")
        .patch(PatchContext.of(PatchType.JSON_MERGE), Serialization.asJson(status));
  }

  private static ZonedDateTime now() {
    return ZonedDateTime.now(ZoneOffset.UTC).truncatedTo(java.time.temporal.ChronoUnit.SECONDS);
  }

  private void beat() {
    for (String name : names) {
      attempt(
          () ->
              client
                  .leases()
                  .inNamespace(LEASES)
                  .resource(
                      new LeaseBuilder()
                          .withNewMetadata()
                          .withNamespace(LEASES)
                          .withName(name)
                          .endMetadata()
                          .withNewSpec()
                          .withHolderIdentity(name)
                          .withLeaseDurationSeconds(40)
                          .withRenewTime(now())
                          .endSpec()
                          .build())
                  .forceConflicts()
                  .serverSideApply());
    }
  }

  private <T> ResourceEventHandler<T> handler(java.util.function.Consumer<T> look) {
    return new ResourceEventHandler<>() {
      @Override
      public void onAdd(T object) {
        kubelets.execute(() -> attempt(() -> look.accept(object)));
      }

      @Override
      public void onUpdate(T before, T object) {
        onAdd(object);
      }

      @Override
      public void onDelete(T object, boolean finalStateUnknown) {
        if (object instanceof MeshEnrollment) {
          onAdd(object);
        }
      }
    };
  }

  /**
   * What fails because somebody else was faster comes again with the next event; all else is tried
   * again.
   */
  private void attempt(Runnable step) {
    try {
      step.run();
    } catch (KubernetesClientException e) {
      if (e.getCode() != 404 && e.getCode() != 409 && !heartbeats.isShutdown()) {
        LOG.warn("A simulated node failed", e);
        heartbeats.schedule(
            () -> kubelets.execute(() -> attempt(step)), AGAIN.toMillis(), TimeUnit.MILLISECONDS);
      }
    }
  }

  private void look(Pod pod) {
    String node = pod.getSpec().getNodeName();
    if (node == null || !node.startsWith(PREFIX)) {
      return;
    }
    if (pod.getMetadata().getDeletionTimestamp() != null) {
      client.resource(pod).withGracePeriod(0).delete();
    } else if (!"Running".equals(pod.getStatus().getPhase())) {
      run(pod);
    } else if (pod.getMetadata().getLabels().containsKey("simulated")) {
      agentLooksAt(pod);
    }
  }

  private void run(Pod pod) {
    var name = pod.getMetadata().getName();
    var ip = address(pod.getMetadata().getNamespace(), name);
    var status =
        new PodBuilder()
            .withNewStatus()
            .withPhase("Running")
            .withHostIP(hostAddress)
            .withPodIP(ip)
            .withPodIPs(new PodIP(ip))
            .withStartTime(now().toInstant().toString())
            .withConditions(
                Stream.of("PodScheduled", "Initialized", "ContainersReady", "Ready")
                    .map(
                        type ->
                            new PodConditionBuilder()
                                .withType(type)
                                .withStatus("True")
                                .withLastTransitionTime(now().toInstant().toString())
                                .build())
                    .toList())
            .withContainerStatuses(running(pod))
            .endStatus()
            .build();
    client
        .resource(pod)
        .subresource("status")
        .patch(PatchContext.of(PatchType.JSON_MERGE), Serialization.asJson(status));
  }

  private static List<ContainerStatus> running(Pod pod) {
    return pod.getSpec().getContainers().stream()
        .map(
            container ->
                new ContainerStatusBuilder()
                    .withName(container.getName())
                    .withImage(container.getImage())
                    .withImageID("simulated")
                    .withReady(true)
                    .withStarted(true)
                    .withRestartCount(0)
                    .withNewState()
                    .withNewRunning(now().toInstant().toString())
                    .endState()
                    .build())
        .toList();
  }

  private void agentsLookAt(String namespace) {
    for (Pod pod : pods.getIndexer().byIndex("namespace", namespace)) {
      look(pod);
    }
  }

  private void agentLooksAt(Pod pod) {
    var namespace = pod.getMetadata().getNamespace();
    var annotations = pod.getMetadata().getAnnotations();
    boolean is = annotations != null && annotations.containsKey(WellKnown.REDIRECTION);
    boolean should =
        enrollments.getIndexer().byIndex("namespace", namespace).stream()
            .anyMatch(SimulatedNodes::capturesAll);
    if (is != should) {
      client
          .resource(pod)
          .patch(
              PatchContext.of(PatchType.JSON_MERGE),
              "{\"metadata\":{\"annotations\":{\"%s\":%s}}}"
                  .formatted(
                      WellKnown.REDIRECTION,
                      should ? '"' + WellKnown.REDIRECTION_ENABLED + '"' : "null"));
    }
  }

  private static boolean capturesAll(MeshEnrollment enrollment) {
    var status = enrollment.getStatus();
    return enrollment.getMetadata().getDeletionTimestamp() == null
        && status != null
        && status.inForce() != null
        && status.inForce().cut() > 0;
  }

  /** Removes the nodes; what was on them goes with them. */
  @Override
  public void close() throws InterruptedException {
    removeNodes();
    for (Pod pod : pods.getStore().list()) {
      String node = pod.getSpec().getNodeName();
      if (node != null && node.startsWith(PREFIX)) {
        client.resource(pod).withGracePeriod(0).delete();
      }
    }
    pods.close();
    enrollments.close();
    heartbeats.shutdownNow();
    kubelets.shutdown();
    if (!kubelets.awaitTermination(60, TimeUnit.SECONDS)) {
      kubelets.shutdownNow();
    }
  }
}
