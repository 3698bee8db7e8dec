package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What the mesh has in a pod's network namespace, asked of the kernel from an ephemeral container
 * inside it: nftables tables, routing rules, and listeners on the mesh's ports.
 */
record PodNetwork(List<String> lines) {
  static final PodNetwork UNTOUCHED = new PodNetwork(List.of());
  private static final AtomicInteger COUNT = new AtomicInteger();

  static PodNetwork of(KubernetesClient client, Pod pod) {
    var container = "network-" + COUNT.incrementAndGet();
    var at =
        client
            .pods()
            .inNamespace(pod.getMetadata().getNamespace())
            .withName(pod.getMetadata().getName());
    at.ephemeralContainers()
        .edit(
            old ->
                new PodBuilder(old)
                    .editSpec()
                    .addNewEphemeralContainer()
                    .withName(container)
                    .withImage(Sample.IMAGE)
                    .withImagePullPolicy("Never")
                    .withArgs("network")
                    .withNewSecurityContext()
                    .withRunAsUser(0L)
                    .withNewCapabilities()
                    .withAdd("NET_ADMIN")
                    .endCapabilities()
                    .endSecurityContext()
                    .endEphemeralContainer()
                    .endSpec()
                    .build());
    await("a look into " + pod.getMetadata().getName())
        .atMost(Duration.ofSeconds(60))
        .until(
            () ->
                at.require().getStatus().getEphemeralContainerStatuses().stream()
                    .filter(s -> s.getName().equals(container))
                    .anyMatch(s -> s.getState().getTerminated() != null));
    var exit =
        at.require().getStatus().getEphemeralContainerStatuses().stream()
            .filter(s -> s.getName().equals(container))
            .findFirst()
            .orElseThrow()
            .getState()
            .getTerminated()
            .getExitCode();
    var output = at.inContainer(container).getLog();
    if (exit != 0) {
      throw new AssertionError("cannot look into " + pod.getMetadata().getName() + ": " + output);
    }
    return new PodNetwork(output.lines().sorted().distinct().toList());
  }
}
