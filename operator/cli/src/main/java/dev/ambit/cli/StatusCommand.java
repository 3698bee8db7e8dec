package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.NodeStatus;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.StatusView;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.Watch;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import java.net.HttpURLConnection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
    name = "status",
    description = "Shows where each fleet and each enrolled namespace is, or one in detail.",
    footer = "%nEnds with 1 where the mesh is not ready or an enrollment is stalled.")
final class StatusCommand extends ClusterCommand {
  /** Nodes and waypoints have no watch here: they are looked at again this often. */
  private static final int SECONDS_UNWATCHED = 5;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "NAMESPACE",
      description = "One namespace, in detail.")
  private @Nullable String asked;

  @Option(
      names = {"-w", "--watch"},
      description = "Shows again whenever something changes, until interrupted.")
  private boolean watch;

  StatusCommand(Environment environment) {
    super(environment);
  }

  @Override
  int run() {
    String namespace = asked != null ? asked : askedNamespace();
    if (namespace != null) {
      cluster().requireNamespace(namespace);
    }
    StatusView view = show(namespace, null);
    if (watch) {
      watch(namespace, view);
    }
    return view.isFine() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private StatusView show(@Nullable String namespace, @Nullable StatusView before) {
    StatusView view = read(namespace);
    if (!view.equals(before)) {
      if (watch && environment.terminal()) {
        environment.out().print("\u001b[H\u001b[2J");
      } else if (before != null && forPeople()) {
        environment.out().println();
      }
      print(view, new StatusPage(view, namespace, environment.clock().instant())::write);
    }
    return view;
  }

  private void watch(@Nullable String namespace, StatusView first) {
    BlockingQueue<Boolean> changes = new ArrayBlockingQueue<>(1);
    var all = cluster().client().genericKubernetesResources(Cluster.ENROLLMENTS);
    var watched = namespace == null ? all.inAnyNamespace() : all.inNamespace(namespace);
    try (Watch _ =
        watched.watch(
            new Watcher<GenericKubernetesResource>() {
              @Override
              public void eventReceived(Action action, GenericKubernetesResource resource) {
                changes.offer(true);
              }

              @Override
              public void onClose(@Nullable WatcherException cause) {
                changes.offer(true);
              }
            })) {
      StatusView shown = first;
      while (true) {
        var unused = changes.poll(SECONDS_UNWATCHED, TimeUnit.SECONDS);
        shown = show(namespace, shown);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private StatusView read(@Nullable String namespace) {
    Cluster cluster = cluster();
    List<JsonNode> enrollments = cluster.enrollments(namespace);
    List<JsonNode> gateways = cluster.list(Cluster.GATEWAY_API, "gateways", namespace, "");
    List<JsonNode> ztunnels = cluster.componentPods("ambit-ztunnel");
    List<JsonNode> agents = cluster.componentPods("ambit-agent");
    return StatusView.of(
        cluster.mesh(),
        NodeStatus.of(nodes(namespace, agents), ztunnels, agents),
        namespace == null ? fleets() : List.of(),
        enrollments,
        gateways);
  }

  /** None where the cluster does not know them, or where the user may only see namespaces. */
  private List<JsonNode> fleets() {
    try {
      return cluster().list(Cluster.AMBIT_API, "clustermeshenrollments", null, "");
    } catch (KubernetesClientException e) {
      if (e.getCode() == HttpURLConnection.HTTP_FORBIDDEN) {
        return List.of();
      }
      throw e;
    }
  }

  /** Those that matter: where the namespace has pods, or all that have an agent. */
  private Set<String> nodes(@Nullable String namespace, List<JsonNode> agents) {
    List<JsonNode> pods =
        namespace == null ? agents : cluster().list("/api/v1", "pods", namespace, "");
    return pods.stream()
        .map(pod -> Objects.text(pod, "/spec/nodeName"))
        .filter(node -> !node.isEmpty())
        .collect(Collectors.toSet());
  }
}
