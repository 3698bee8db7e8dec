package dev.ambit.operator.preflight;

import dev.ambit.api.Stage;
import dev.ambit.operator.CommonLabels;
import dev.ambit.operator.NodeAnswers;
import dev.ambit.operator.NodeCalls;
import dev.ambit.operator.install.model.AgentDaemonSet;
import dev.ambit.operator.install.model.ZtunnelDaemonSet;
import dev.ambit.operator.preflight.model.PreflightFacts;
import dev.ambit.operator.preflight.model.PreflightReasons;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.ListOptions;
import io.fabric8.kubernetes.api.model.ListOptionsBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.net.HttpURLConnection;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Reads from the API server what preflight looks at and no cache of the operator's holds. Policies
 * as they are now, since people apply them together with the enrollment that they bear on.
 */
public final class PreflightReader {
  /** From the API server's own cache: of nodes, what is a moment old will do. */
  private static final ListOptions CACHED =
      new ListOptionsBuilder().withResourceVersion("0").build();

  /** Many namespaces are checked at once, and all of them ask the same of the nodes. */
  private static final Duration NODES_KNOWN_FOR = Duration.ofSeconds(5);

  /** One that does not answer is no reason to wait: what containers declare is known. */
  private static final Duration AGENTS_ANSWER_WITHIN = Duration.ofSeconds(2);

  private final KubernetesClient client;
  private final String rootNamespace;
  private final NodeAnswers agents;
  private @Nullable Nodes nodes;

  private record Nodes(
      long atNanos, PreflightFacts.NodeReadiness.Known ready, Map<String, URI> agents) {}

  /** Reads as that client, and calls nodes' agents at their addresses. */
  public PreflightReader(KubernetesClient client, String rootNamespace) {
    this.client = client;
    this.rootNamespace = rootNamespace;
    this.agents = this::call;
  }

  /** Reads as that client, and asks nodes' agents in another way. */
  public PreflightReader(KubernetesClient client, String rootNamespace, NodeAnswers agents) {
    this.client = client;
    this.rootNamespace = rootNamespace;
    this.agents = agents;
  }

  /**
   * Reads.
   *
   * @param target what the namespace is to come to
   * @param capturable pods that the enrollment would capture
   * @param pods all of the namespace
   * @throws KubernetesClientException if the API server does not answer
   */
  public PreflightFacts read(PreflightFacts.Target target, List<Pod> capturable, List<Pod> pods) {
    String namespace = target.namespace();
    Set<String> names =
        capturable.stream().map(pod -> pod.getMetadata().getName()).collect(Collectors.toSet());
    Set<String> missing = new TreeSet<>();
    if (target.stage() == Stage.L7
        && client
                .apiextensions()
                .v1()
                .customResourceDefinitions()
                .withName(PreflightReasons.GATEWAYS)
                .get()
            == null) {
      missing.add(PreflightReasons.GATEWAYS);
    }
    Nodes known = nodes();
    return new PreflightFacts(
        target,
        rootNamespace,
        capturable,
        pods.stream().filter(pod -> !names.contains(pod.getMetadata().getName())).toList(),
        client.services().inNamespace(namespace).list().getItems(),
        client.network().v1().networkPolicies().inNamespace(namespace).list().getItems(),
        policies(AuthorizationPolicy.class, namespace, missing),
        policies(PeerAuthentication.class, namespace, missing),
        tokens(namespace),
        missing,
        known.ready(),
        NodeSockets.of(
            namespace,
            capturable.stream()
                .map(pod -> pod.getSpec() == null ? "" : pod.getSpec().getNodeName())
                .filter(node -> node != null && known.agents().containsKey(node))
                .collect(Collectors.toSet()),
            agents));
  }

  private Map<String, List<String>> call(Set<String> asked, String path) {
    return NodeCalls.get(
        nodes().agents().entrySet().stream()
            .filter(agent -> asked.contains(agent.getKey()))
            .map(agent -> new NodeCalls.Call(agent.getKey(), agent.getValue().resolve(path)))
            .toList(),
        AGENTS_ANSWER_WITHIN);
  }

  private synchronized Nodes nodes() {
    long now = System.nanoTime();
    Nodes last = nodes;
    if (last == null || now - last.atNanos() > NODES_KNOWN_FOR.toNanos()) {
      Map<String, URI> agents = readyOn(AgentDaemonSet.NAME);
      last =
          new Nodes(
              now,
              new PreflightFacts.NodeReadiness.Known(
                  readyOn(ZtunnelDaemonSet.NAME).keySet(), agents.keySet()),
              agents);
      nodes = last;
    }
    return last;
  }

  /** None where the cluster does not know their kind, which only waypoints need. */
  private List<RequestAuthentication> tokens(String namespace) {
    try {
      return client.resources(RequestAuthentication.class).inNamespace(namespace).list().getItems();
    } catch (KubernetesClientException e) {
      if (e.getCode() != HttpURLConnection.HTTP_NOT_FOUND) {
        throw e;
      }
      return List.of();
    }
  }

  private <T extends HasMetadata> List<T> policies(
      Class<T> kind, String namespace, Set<String> missing) {
    List<T> policies = new ArrayList<>();
    for (String each : Stream.of(namespace, rootNamespace).distinct().toList()) {
      try {
        policies.addAll(client.resources(kind).inNamespace(each).list().getItems());
      } catch (KubernetesClientException e) {
        if (e.getCode() != HttpURLConnection.HTTP_NOT_FOUND) {
          throw e;
        }
        missing.add(HasMetadata.getFullResourceName(kind));
      }
    }
    return policies;
  }

  /** Nodes where it is ready, with where an agent tells of its node's pods. */
  private Map<String, URI> readyOn(String component) {
    Map<String, URI> nodes = new HashMap<>();
    for (Pod pod :
        client
            .pods()
            .inNamespace(rootNamespace)
            .withLabel(CommonLabels.NAME, component)
            .list(CACHED)
            .getItems()) {
      if (Readiness.isPodReady(pod) && pod.getSpec().getNodeName() != null) {
        String ip = String.valueOf(pod.getStatus().getPodIP());
        nodes.put(
            pod.getSpec().getNodeName(),
            URI.create(
                "http://"
                    + (ip.contains(":") ? "[" + ip + "]" : ip)
                    + ":"
                    + AgentDaemonSet.HTTP_PORT));
      }
    }
    return nodes;
  }
}
