package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonIgnore;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What the ztunnel of a node says that it knows and serves. */
public record ZtunnelDump(String node, String pod, JsonNode dump) {

  /**
   * A connection, or a flow of datagrams, that is open.
   *
   * @param protocol HBONE, or else TCP or UDP where it is plain
   */
  public record ConnectionLine(
      String node,
      String namespace,
      String pod,
      String direction,
      String source,
      String asked,
      String destination,
      String protocol,
      String peerIdentity) {
    /** Whether it is in a tunnel. */
    @JsonIgnore
    public boolean isSecured() {
      return protocol.startsWith("HBONE");
    }
  }

  /** A workload that the ztunnel knows. */
  public record WorkloadLine(
      String namespace,
      String name,
      List<String> addresses,
      String node,
      String protocol,
      String status,
      String identity,
      String waypoint,
      List<String> policies) {}

  /** A service that the ztunnel knows. */
  public record ServiceLine(
      String namespace,
      String name,
      String hostname,
      List<String> addresses,
      String ports,
      int endpoints,
      int healthy,
      String waypoint) {}

  /** A policy that the ztunnel knows. */
  public record PolicyLine(
      String namespace, String name, String scope, String action, boolean dryRun, int rules) {}

  /** The connections of the node's pods. */
  public List<ConnectionLine> connections() {
    List<ConnectionLine> lines = new ArrayList<>();
    for (JsonNode state : dump.path("workloadState")) {
      for (String direction : List.of("inbound", "outbound")) {
        for (JsonNode each : Objects.items(state, "/connections/" + direction)) {
          lines.add(
              new ConnectionLine(
                  node,
                  Objects.text(state, "/info/namespace"),
                  Objects.text(state, "/info/name"),
                  direction,
                  Objects.text(each, "/src"),
                  Objects.text(each, "/originalDst"),
                  Objects.text(each, "/actualDst"),
                  protocol(each),
                  Objects.text(each, "/peerIdentity")));
        }
      }
    }
    return lines;
  }

  private static String protocol(JsonNode connection) {
    String protocol = Objects.text(connection, "/protocol");
    boolean flow = Objects.text(connection, "/transport").equals("UDP");
    return flow && !protocol.equals("UDP") ? protocol + " (UDP)" : protocol;
  }

  /** The workloads of the mesh, as this ztunnel knows them. */
  public List<WorkloadLine> workloads() {
    return Objects.items(dump, "/workloads").stream()
        .map(
            each ->
                new WorkloadLine(
                    Objects.text(each, "/namespace"),
                    Objects.text(each, "/name"),
                    texts(each, "/workloadIps"),
                    Objects.text(each, "/node"),
                    Objects.text(each, "/protocol"),
                    Objects.text(each, "/status"),
                    identity(each),
                    Objects.text(each, "/waypoint/destination"),
                    texts(each, "/authorizationPolicies")))
        .toList();
  }

  /** A workload's SPIFFE identity. */
  static String identity(JsonNode workload) {
    return "spiffe://"
        + Objects.text(workload, "/trustDomain")
        + "/ns/"
        + Objects.text(workload, "/namespace")
        + "/sa/"
        + Objects.text(workload, "/serviceAccount");
  }

  /** The services of the mesh, as this ztunnel knows them. */
  public List<ServiceLine> services() {
    return Objects.items(dump, "/services").stream()
        .map(
            each -> {
              List<JsonNode> endpoints =
                  each.path("endpoints").properties().stream().map(e -> e.getValue()).toList();
              return new ServiceLine(
                  Objects.text(each, "/namespace"),
                  Objects.text(each, "/name"),
                  Objects.text(each, "/hostname"),
                  texts(each, "/vips"),
                  ports(each.path("ports")),
                  endpoints.size(),
                  (int)
                      endpoints.stream()
                          .filter(endpoint -> Objects.text(endpoint, "/status").equals("Healthy"))
                          .count(),
                  Objects.text(each, "/waypoint/destination"));
            })
        .toList();
  }

  private static String ports(JsonNode ports) {
    return String.join(
        ",",
        ports.properties().stream()
            .map(
                port ->
                    port.getKey().replace("/UDP", "").equals(port.getValue().asText())
                        ? port.getKey()
                        : port.getKey() + ">" + port.getValue().asText())
            .toList());
  }

  /** The policies, as this ztunnel knows them. */
  public List<PolicyLine> policies() {
    return Objects.items(dump, "/policies").stream()
        .map(
            each ->
                new PolicyLine(
                    Objects.text(each, "/namespace"),
                    Objects.text(each, "/name"),
                    Objects.text(each, "/scope"),
                    Objects.text(each, "/action"),
                    each.path("dryRun").asBoolean(),
                    each.path("rules").asInt()))
        .toList();
  }

  private static List<String> texts(JsonNode object, String pointer) {
    return Objects.items(object, pointer).stream().map(JsonNode::asText).toList();
  }

  /** The certificates of the node's service accounts. */
  public Stream<CertificateLine> certificates() {
    return Objects.items(dump, "/certificates").stream()
        .map(each -> CertificateLine.of(node, pod, each));
  }
}
