package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/** Namespaces, servers and clients of the sample image, and what they see of each other. */
final class Sample {
  static final String IMAGE = "ghcr.io/ambit-mesh/sample:0.1.0";
  private static final Duration START = Duration.ofSeconds(120);

  private final KubernetesClient client;

  Sample(KubernetesClient client) {
    this.client = client;
  }

  void namespace(String name, Map<String, String> labels) {
    client
        .resource(
            new NamespaceBuilder()
                .withNewMetadata()
                .withName(name)
                .withLabels(labels)
                .endMetadata()
                .build())
        .create();
  }

  /** Sets a label of a namespace, or removes it where {@code value} is empty. */
  void label(String namespace, String key, String value) {
    client
        .namespaces()
        .withName(namespace)
        .edit(
            old -> {
              var metadata = new NamespaceBuilder(old).editMetadata();
              return (value.isEmpty()
                      ? metadata.removeFromLabels(key)
                      : metadata.addToLabels(key, value))
                  .endMetadata()
                  .build();
            });
  }

  /**
   * A pod that serves on the ports, HTTP probes on the first of them, with a Service and a service
   * account of its name.
   */
  Pod server(String namespace, String name, String node, int... ports) {
    serviceAccount(namespace, name);
    service(namespace, name, ports);
    pod(
        namespace,
        name,
        node,
        "",
        """
        args: [serve, %s]
        readinessProbe: {httpGet: {port: %d, path: /ready}, periodSeconds: 1}
        livenessProbe: {tcpSocket: {port: %d}, periodSeconds: 5}
        """
            .formatted(
                Arrays.stream(ports)
                    .mapToObj(p -> "\"" + p + "\"")
                    .collect(Collectors.joining(", ")),
                ports[0],
                ports[0]));
    return ready(namespace, name);
  }

  /** A pod that waits to be told what to do, with a service account of its name. */
  Pod client(String namespace, String name, String node) {
    return client(namespace, name, node, "");
  }

  /** The same with more lines for the pod's labels and spec, at the top level of its YAML. */
  Pod client(String namespace, String name, String node, String spec) {
    serviceAccount(namespace, name);
    pod(namespace, name, node, spec, "command: [/bin/sleep, \"86400\"]\n");
    return ready(namespace, name);
  }

  /** A pod that runs one command in its first moment and ends. */
  void job(String namespace, String name, String node, String... command) {
    serviceAccount(namespace, name);
    pod(
        namespace,
        name,
        node,
        "restartPolicy: Never\n",
        "command: ["
            + Arrays.stream(command).map(c -> "\"" + c + "\"").collect(Collectors.joining(", "))
            + "]\n");
  }

  void service(String namespace, String name, int... ports) {
    apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: %s, name: %s}
        spec:
          selector: {app: %s}
          ports: [%s]
        """
            .formatted(
                namespace,
                name,
                name,
                Arrays.stream(ports)
                    .mapToObj(p -> "{name: tcp-" + p + ", port: " + p + "}")
                    .collect(Collectors.joining(", "))));
  }

  void serviceAccount(String namespace, String name) {
    apply(
        """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {namespace: %s, name: %s}
        """
            .formatted(namespace, name));
  }

  private void pod(String namespace, String name, String node, String spec, String container) {
    apply(
        """
        apiVersion: v1
        kind: Pod
        metadata:
          namespace: %s
          name: %s
          labels: {app: %s%s}
        spec:
          nodeName: %s
          serviceAccountName: %s
          terminationGracePeriodSeconds: 1
        %s
          containers:
          - name: sample
            image: %s
            imagePullPolicy: Never
        %s
        """
            .formatted(
                namespace,
                name,
                name,
                labels(spec),
                node,
                name,
                spec.lines()
                    .filter(line -> !line.startsWith("label "))
                    .collect(Collectors.joining("\n"))
                    .indent(2)
                    .stripTrailing(),
                IMAGE,
                container.indent(4).stripTrailing()));
  }

  /** Lines "label KEY=VALUE" among a pod's extra lines. */
  private static String labels(String spec) {
    return spec.lines()
        .filter(line -> line.startsWith("label "))
        .map(line -> ", " + line.substring("label ".length()).replaceFirst("=", ": "))
        .collect(Collectors.joining());
  }

  void apply(String yaml) {
    client
        .load(new ByteArrayInputStream(yaml.getBytes(StandardCharsets.UTF_8)))
        .forceConflicts()
        .serverSideApply();
  }

  Pod ready(String namespace, String name) {
    await("pod " + namespace + "/" + name + " ready")
        .atMost(START)
        .pollInterval(Duration.ofMillis(300))
        .until(() -> Readiness.isPodReady(get(namespace, name)));
    return get(namespace, name);
  }

  Pod get(String namespace, String name) {
    return client.pods().inNamespace(namespace).withName(name).require();
  }

  String phase(String namespace, String name) {
    return get(namespace, name).getStatus().getPhase();
  }

  /** What the pod printed; nothing where its container has not started. */
  String log(String namespace, String name) {
    try {
      return client.pods().inNamespace(namespace).withName(name).getLog();
    } catch (KubernetesClientException e) {
      if (e.getCode() == 400) {
        return "";
      }
      throw e;
    }
  }

  /**
   * A pod that makes one request after the other for as long as each succeeds, each on a connection
   * of its own; it has made a few when this returns.
   */
  void loop(String namespace, String name, String node, String address, int port) {
    job(
        namespace,
        name,
        node,
        "/bin/sh",
        "-c",
        "while sample get " + address + " " + port + " /loop; do usleep 100000; done");
    await(name + " has made requests").atMost(START).until(() -> lines(namespace, name) > 10);
  }

  /**
   * A pod that says a line over one connection five times a second; it has begun when this returns.
   */
  void talk(String namespace, String name, String node, String address, int port) {
    job(namespace, name, node, "/bin/sample", "talk", address, Integer.toString(port), "200");
    await(name + " has talked").atMost(START).until(() -> lines(namespace, name) > 2);
  }

  long lines(String namespace, String name) {
    return log(namespace, name).lines().count();
  }

  /**
   * Fails, with what it printed last, if a pod of {@link #loop} or {@link #talk} has ended or
   * stands still.
   */
  void assertGoesOn(String namespace, String name) {
    long before = lines(namespace, name);
    await(name + " goes on")
        .atMost(Duration.ofSeconds(30))
        .untilAsserted(
            () -> {
              var log = log(namespace, name);
              if (!phase(namespace, name).equals("Running") || log.lines().count() <= before) {
                throw new AssertionError(
                    name
                        + " is "
                        + phase(namespace, name)
                        + " and said last: "
                        + log.substring(Math.max(0, log.length() - 400)));
              }
            });
  }

  /**
   * Requests {@code http://address:port/path} from a pod; the answer names the client the server
   * saw.
   */
  CommandResult request(String namespace, String pod, String address, int port, String path) {
    return run(namespace, pod, "sample", "get", address, Integer.toString(port), "/" + path);
  }

  CommandResult run(String namespace, String pod, String... command) {
    return PodCommand.run(client, namespace, pod, command);
  }
}
