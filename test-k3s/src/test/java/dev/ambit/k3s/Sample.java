package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.readiness.Readiness;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

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

  /** Sets a label of an object in a namespace, or removes it where {@code value} is empty. */
  void label(Resource<? extends HasMetadata> object, String key, String value) {
    object.patch(
        PatchContext.of(PatchType.JSON_MERGE),
        "{\"metadata\":{\"labels\":{\"%s\":%s}}}"
            .formatted(key, value.isEmpty() ? "null" : "\"" + value + "\""));
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

  /**
   * A pod {@code service-version} that serves HTTP on port 8080 and lines on port 9090, labelled
   * {@code app=service} and {@code version=version}, under a service account and a Service of its
   * own name and a Service {@code service} that all versions share.
   */
  Pod version(String namespace, String service, String version, String node) {
    var name = service + "-" + version;
    serviceAccount(namespace, name);
    for (var selector :
        Map.of(
                service,
                "{app: " + service + "}",
                name,
                "{app: %s, version: %s}".formatted(service, version))
            .entrySet()) {
      apply(
          """
          apiVersion: v1
          kind: Service
          metadata: {namespace: %s, name: %s}
          spec:
            selector: %s
            ports:
            - {name: http, port: 8080}
            - {name: tcp-lines, port: 9090}
          """
              .formatted(namespace, selector.getKey(), selector.getValue()));
    }
    pod(
        namespace,
        name,
        node,
        "label app=" + service + "\nlabel version=" + version + "\n",
        """
        args: [serve, "8080", "9090"]
        readinessProbe: {httpGet: {port: 8080, path: /ready}, periodSeconds: 1}
        """);
    return ready(namespace, name);
  }

  /** A pod that answers datagrams with who sent them, with a Service of its name. */
  void datagramServer(String namespace, String name, String node, int port) {
    datagrams(namespace, name, node, "udp", port);
  }

  /** A pod that sends datagrams back as they came, with a Service of its name. */
  void datagramEcho(String namespace, String name, String node, int port) {
    datagrams(namespace, name, node, "echo", port);
  }

  private void datagrams(String namespace, String name, String node, String what, int port) {
    serviceAccount(namespace, name);
    serviceOf(namespace, name, "{name: datagrams, port: " + port + ", protocol: UDP}");
    pod(
        namespace,
        name,
        node,
        "",
        "args: [serve, \"%s:%d\"]\nports: [{containerPort: %d, protocol: UDP}]\n"
            .formatted(what, port, port));
    ready(namespace, name);
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
    serviceOf(
        namespace,
        name,
        Arrays.stream(ports)
            .mapToObj(p -> "{name: tcp-" + p + ", port: " + p + "}")
            .collect(Collectors.joining(", ")));
  }

  private void serviceOf(String namespace, String name, String ports) {
    apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: %s, name: %s}
        spec:
          selector: {app: %s}
          ports: [%s]
        """
            .formatted(namespace, name, name, ports));
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
          labels: {%s}
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
                labels(name, spec),
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

  /** Lines "label KEY=VALUE" among a pod's extra lines, and its name as its app where none says. */
  private static String labels(String name, String spec) {
    var labels = new TreeMap<String, String>(Map.of("app", name));
    spec.lines()
        .filter(line -> line.startsWith("label "))
        .map(line -> line.substring("label ".length()).split("=", 2))
        .forEach(label -> labels.put(label[0], label[1]));
    return labels.entrySet().stream()
        .map(label -> label.getKey() + ": " + label.getValue())
        .collect(Collectors.joining(", "));
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
      // The latter of a pod that its node has not heard of yet.
      if (e.getCode() == 400
          || (e.getCode() == 404
              && client.pods().inNamespace(namespace).withName(name).get() != null)) {
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
   * A pod that makes ten requests a second from its first moment on, and is started again by its
   * kubelet where one fails.
   */
  void caller(String namespace, String name, String node, String address, int port, String path) {
    serviceAccount(namespace, name);
    pod(
        namespace,
        name,
        node,
        "",
        """
        command: [/bin/sample, keep, "%s", "%d", "/%s"]
        """
            .formatted(address, port, path));
    ready(namespace, name);
  }

  /**
   * A pod that makes ten requests a second on one connection, and on another one only where an
   * answer asks for it; it has made a few when this returns.
   */
  void keep(String namespace, String name, String node, String address, int port) {
    job(namespace, name, node, "/bin/sample", "keep", address, Integer.toString(port), "/keep");
    await(name + " has made requests").atMost(START).until(() -> lines(namespace, name) > 10);
  }

  /**
   * A pod that says a line over one connection five times a second; it has begun when this returns.
   */
  void talk(String namespace, String name, String node, String address, int port) {
    job(namespace, name, node, "/bin/sample", "talk", address, Integer.toString(port), "200");
    await(name + " has talked").atMost(START).until(() -> lines(namespace, name) > 2);
  }

  /**
   * A pod that sends that text and a number over one socket ten times a second, and ends where many
   * in a row have no answer; it has had answers when this returns.
   */
  void send(String namespace, String name, String node, String address, int port, String text) {
    job(namespace, name, node, "/bin/sample", "send", address, Integer.toString(port), text, "100");
    await(name + " has had answers")
        .atMost(START)
        .until(() -> log(namespace, name).contains(" saw "));
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
                // What ended it comes first: reports may keep only a few lines.
                throw new AssertionError(
                    "%s is %s; its last line: %s%nand before it: %s"
                        .formatted(
                            name,
                            phase(namespace, name),
                            log.lines().reduce("", (earlier, later) -> later),
                            log.substring(Math.max(0, log.length() - 400))));
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

  /**
   * The whole answer to {@code sample get OPTIONS address port path}, whatever its status.
   *
   * @param arguments more options, then address, port and path
   */
  CommandResult get(String namespace, String pod, String... arguments) {
    return run(
        namespace,
        pod,
        Stream.concat(Stream.of("sample", "get", "-i"), Arrays.stream(arguments))
            .toArray(String[]::new));
  }

  CommandResult run(String namespace, String pod, String... command) {
    return PodCommand.run(client, namespace, pod, command);
  }
}
