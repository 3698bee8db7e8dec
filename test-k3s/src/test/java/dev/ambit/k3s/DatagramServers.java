package dev.ambit.k3s;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * Servers of datagrams, on each node a pair: one that sends back what comes, and the cluster's
 * CoreDNS, which answers DNS over UDP and over HTTP/3, that is over QUIC.
 */
record DatagramServers(InstalledAmbit ambit, Sample sample, String namespace) {
  static final int ECHO = 7071;
  static final int DNS = 5353;
  static final int HTTP3 = 8443;

  /** What the name that clients ask for leads to. */
  static final String ADDRESS = "192.0.2.53";

  private static final String NAME = "answer.example";

  /** The question for that name's IPv4 addresses, as RFC 8484 puts it into a URL. */
  private static final String QUESTION =
      Base64.getUrlEncoder()
          .withoutPadding()
          .encodeToString(
              concatenated(
                  new byte[] {0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0},
                  label("answer"),
                  label("example"),
                  new byte[] {0, 0, 1, 0, 1}));

  private static byte[] label(String text) {
    var bytes = text.getBytes(StandardCharsets.US_ASCII);
    return concatenated(new byte[] {(byte) bytes.length}, bytes);
  }

  private static byte[] concatenated(byte[]... parts) {
    var all = new ByteArrayOutputStream();
    for (var part : parts) {
      all.writeBytes(part);
    }
    return all.toByteArray();
  }

  void start(int node) {
    sample.datagramEcho(namespace, "echo-" + node, ambit.node(node), ECHO);
    startCoreDns("dns-" + node, ambit.node(node));
  }

  private void startCoreDns(String name, String node) {
    var key =
        ambit
            .cluster()
            .server()
            .shell(
                """
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
                  -subj /CN=dns -addext subjectAltName=DNS:dns -keyout - -out - 2>/dev/null
                """)
            .orThrow();
    sample.apply(
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {namespace: %1$s, name: %2$s}
        data:
          Corefile: |
            dns://.:%3$d {
              hosts {
                %6$s %5$s
              }
            }
            https3://.:%4$d {
              tls /etc/coredns/pair.pem /etc/coredns/pair.pem
              hosts {
                %6$s %5$s
              }
            }
          pair.pem: |
        %7$s
        """
            .formatted(namespace, name, DNS, HTTP3, NAME, ADDRESS, key.indent(4).stripTrailing()));
    sample.serviceAccount(namespace, name);
    sample.apply(
        """
        apiVersion: v1
        kind: Service
        metadata: {namespace: %1$s, name: %2$s}
        spec:
          selector: {app: %2$s}
          ports:
          - {name: questions, port: %3$d, protocol: UDP}
          - {name: http3, port: %4$d, protocol: UDP}
        """
            .formatted(namespace, name, DNS, HTTP3));
    sample.apply(
        """
        apiVersion: v1
        kind: Pod
        metadata: {namespace: %1$s, name: %2$s, labels: {app: %2$s}}
        spec:
          nodeName: %3$s
          serviceAccountName: %2$s
          terminationGracePeriodSeconds: 1
          containers:
          - name: coredns
            image: %4$s
            imagePullPolicy: IfNotPresent
            args: ["-conf", /etc/coredns/Corefile]
            volumeMounts: [{name: configuration, mountPath: /etc/coredns}]
          volumes: [{name: configuration, configMap: {name: %2$s}}]
        """
            .formatted(namespace, name, node, coreDnsImage()));
    sample.ready(namespace, name);
  }

  /** The one that the cluster itself runs, which its nodes have. */
  private String coreDnsImage() {
    return Objects.requireNonNull(
            ambit
                .client()
                .apps()
                .deployments()
                .inNamespace("kube-system")
                .withName("coredns")
                .get())
        .getSpec()
        .getTemplate()
        .getSpec()
        .getContainers()
        .getFirst()
        .getImage();
  }

  void startHttp3Client(String name, String node, String image) {
    sample.serviceAccount(namespace, name);
    sample.apply(
        """
        apiVersion: v1
        kind: Pod
        metadata: {namespace: %1$s, name: %2$s, labels: {app: %2$s}}
        spec:
          nodeName: %3$s
          serviceAccountName: %2$s
          terminationGracePeriodSeconds: 1
          containers:
          - {name: client, image: "%4$s", imagePullPolicy: Never}
        """
            .formatted(namespace, name, node, image));
    sample.ready(namespace, name);
  }

  CommandResult echo(String client, int server, int flows, int... sizes) {
    return sample.run(
        namespace,
        client,
        Stream.concat(
                Stream.of(
                    "sample",
                    "echo",
                    "echo-" + server,
                    Integer.toString(ECHO),
                    Integer.toString(flows)),
                Arrays.stream(sizes).mapToObj(Integer::toString))
            .toArray(String[]::new));
  }

  CommandResult lookup(String client, int server) {
    return sample.run(
        namespace, client, "sample", "lookup", "dns-" + server, Integer.toString(DNS), NAME);
  }

  CommandResult lookupByHttp3(String client, int server) {
    return sample.run(
        namespace,
        client,
        "client",
        "--http3",
        "--insecure-skip-verify",
        "https://dns-%d:%d/dns-query?dns=%s".formatted(server, HTTP3, QUESTION));
  }
}
