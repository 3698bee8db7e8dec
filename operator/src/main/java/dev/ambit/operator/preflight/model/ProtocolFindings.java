package dev.ambit.operator.preflight.model;

import dev.ambit.api.Finding;
import dev.ambit.api.Severity;
import dev.ambit.api.Stage;
import dev.ambit.operator.model.DeclaredProtocol;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServicePort;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/** What becomes of a namespace's protocols: servers that speak first, and UDP. */
final class ProtocolFindings {
  /** Of protocols in which the server says the first word, by the ports that they are known by. */
  private static final Map<Integer, String> SERVER_FIRST_PORTS =
      Map.ofEntries(
          Map.entry(21, "FTP"),
          Map.entry(22, "SSH"),
          Map.entry(25, "SMTP"),
          Map.entry(110, "POP3"),
          Map.entry(143, "IMAP"),
          Map.entry(587, "SMTP"),
          Map.entry(3306, "MySQL"),
          Map.entry(5900, "VNC"));

  private static final Map<String, String> SERVER_FIRST_NAMES =
      Map.of(
          "ftp", "FTP",
          "imap", "IMAP",
          "mariadb", "MySQL",
          "mysql", "MySQL",
          "pop3", "POP3",
          "smtp", "SMTP",
          "ssh", "SSH",
          "vnc", "VNC");

  private static final int DNS = 53;

  /** What a ztunnel has in a captured pod. */
  private static final Set<Integer> ZTUNNELS = Set.of(15009, 15010, 15011, 15053);

  private ProtocolFindings() {}

  static List<Finding> of(PreflightFacts facts) {
    List<Finding> findings = new ArrayList<>();
    if (facts.stage() == Stage.L7) {
      facts.services().forEach(service -> findings.addAll(serverFirst(service)));
    }
    findings.addAll(datagrams(facts));
    return findings;
  }

  // --- Servers that speak first

  private static List<Finding> serverFirst(Service service) {
    List<Finding> findings = new ArrayList<>();
    for (ServicePort port : ports(service)) {
      String protocol = serverFirst(port);
      if (protocol.isEmpty() || isUdp(port.getProtocol()) || DeclaredProtocol.isKnown(port)) {
        continue;
      }
      findings.add(
          Preflight.finding(
              Severity.WARNING,
              PreflightReasons.SERVER_FIRST,
              service,
              "Port "
                  + port.getPort()
                  + " looks like "
                  + protocol
                  + ", in which the server speaks first, and names no protocol. A waypoint would wait"
                  + " 0.5 s for each client's first bytes, to find out what they are. Set appProtocol:"
                  + " tcp on the port, or begin its name with tcp-."));
    }
    return findings;
  }

  private static String serverFirst(ServicePort port) {
    String name =
        Stream.of(port.getAppProtocol(), port.getName())
            .filter(text -> text != null && !text.isEmpty())
            .map(text -> text.toLowerCase(Locale.ROOT).split("-", 2)[0])
            .filter(SERVER_FIRST_NAMES::containsKey)
            .findFirst()
            .orElse("");
    if (!name.isEmpty()) {
      return Objects.requireNonNull(SERVER_FIRST_NAMES.get(name));
    }
    Integer target = port.getTargetPort() == null ? null : port.getTargetPort().getIntVal();
    return SERVER_FIRST_PORTS.getOrDefault(
        port.getPort(), target == null ? "" : SERVER_FIRST_PORTS.getOrDefault(target, ""));
  }

  // --- UDP

  /** By workload, so that a hundred pods of one Deployment are told of once. */
  private static List<Finding> datagrams(PreflightFacts facts) {
    PreflightFacts.Datagrams datagrams = facts.target().datagrams();
    if (datagrams == PreflightFacts.Datagrams.NOT_IN_MESH) {
      return List.of();
    }
    Map<String, TreeSet<Integer>> ports = new TreeMap<>();
    for (Pod pod : facts.capturable()) {
      TreeSet<Integer> ofPod = datagramPorts(facts, pod);
      boolean changes =
          switch (datagrams) {
            case CARRIED, NOT_IN_MESH -> !Plans.isInMesh(pod);
            case CARRIED_AGAIN, LEFT_ALONE, ASKED_IN_VAIN -> true;
          };
      if (changes && !ofPod.isEmpty()) {
        ports
            .computeIfAbsent(Workloads.of(facts.namespace(), pod), any -> new TreeSet<>())
            .addAll(ofPod);
      }
    }
    List<Finding> findings = new ArrayList<>();
    if (datagrams == PreflightFacts.Datagrams.ASKED_IN_VAIN) {
      findings.add(
          new Finding(
              Severity.WARNING,
              PreflightReasons.UDP_NOT_IN_MESH,
              "Namespace " + facts.namespace(),
              "spec.udp of the MeshEnrollment is true, and the mesh carries no UDP: it stays plain, and"
                  + " neither policies nor strict mTLS hold for it. Set spec.udp of the AmbientMesh."));
    }
    ports.forEach(
        (workload, numbers) ->
            findings.add(
                new Finding(
                    Severity.WARNING,
                    switch (datagrams) {
                      case LEFT_ALONE -> PreflightReasons.UDP_LEFT_ALONE;
                      case ASKED_IN_VAIN, NOT_IN_MESH -> PreflightReasons.UDP_NOT_IN_MESH;
                      case CARRIED, CARRIED_AGAIN -> PreflightReasons.UDP_CARRIED;
                    },
                    workload,
                    message(datagrams, numbers))));
    return findings;
  }

  private static String message(PreflightFacts.Datagrams datagrams, TreeSet<Integer> ports) {
    String listed =
        (ports.size() == 1 ? "UDP port " : "UDP ports ")
            + String.join(", ", ports.stream().map(String::valueOf).toList())
            + ": ";
    String carried =
        "datagrams from captured pods would come through the mesh, encrypted, and policies and"
            + " strict mTLS would hold for all of them. Each flow ends after a time without datagrams"
            + " (docs/guide.md, UDP).";
    return listed
        + switch (datagrams) {
          case LEFT_ALONE ->
              "datagrams are not carried in the mesh, since spec.udp of the MeshEnrollment is false:"
                  + " they stay plain, and neither policies nor strict mTLS hold for them.";
          case ASKED_IN_VAIN, NOT_IN_MESH -> "once spec.udp of the AmbientMesh is true, " + carried;
          case CARRIED, CARRIED_AGAIN ->
              carried + " spec.udp: false of the MeshEnrollment leaves them as they are.";
        };
  }

  private static TreeSet<Integer> datagramPorts(PreflightFacts facts, Pod pod) {
    TreeSet<Integer> ports = new TreeSet<>();
    containers(pod)
        .flatMap(
            container ->
                Objects.requireNonNullElse(container.getPorts(), List.<ContainerPort>of()).stream())
        .filter(port -> isUdp(port.getProtocol()) && port.getContainerPort() != null)
        .forEach(port -> ports.add(port.getContainerPort()));
    for (Service service : facts.services()) {
      if (selects(service, pod)) {
        ports(service).stream()
            .filter(port -> isUdp(port.getProtocol()))
            // A port that it calls by name is the container's, which declares it.
            .flatMap(
                port ->
                    Stream.ofNullable(
                        port.getTargetPort() == null
                            ? port.getPort()
                            : port.getTargetPort().getIntVal()))
            .forEach(ports::add);
      }
    }
    ports.addAll(facts.sockets(pod).udp());
    ports.remove(DNS);
    ports.removeAll(ZTUNNELS);
    return ports;
  }

  static boolean selects(Service service, Pod pod) {
    Map<String, String> selector =
        service.getSpec() == null || service.getSpec().getSelector() == null
            ? Map.of()
            : service.getSpec().getSelector();
    return !selector.isEmpty() && Preflight.labels(pod).entrySet().containsAll(selector.entrySet());
  }

  private static List<ServicePort> ports(Service service) {
    return service.getSpec() == null || service.getSpec().getPorts() == null
        ? List.of()
        : service.getSpec().getPorts();
  }

  private static boolean isUdp(@org.jspecify.annotations.Nullable String protocol) {
    return "UDP".equals(protocol);
  }

  private static Stream<Container> containers(Pod pod) {
    return pod.getSpec() == null
        ? Stream.of()
        : Objects.requireNonNullElse(pod.getSpec().getContainers(), List.<Container>of()).stream();
  }
}
