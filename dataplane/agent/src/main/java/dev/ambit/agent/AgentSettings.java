package dev.ambit.agent;

import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** How the agent was started: its environment variables, checked. */
record AgentSettings(
    String node,
    String namespace,
    String pod,
    Optional<InetAddress> hostAddress,
    int httpPort,
    Path cniBinaries,
    Path cniConfigurations,
    Path cniPlugin,
    Path cniSocket,
    Path zdsSocket,
    Path state,
    Path networks) {

  /** A variable that is missing or cannot be. */
  static final class BadEnvironment extends Exception {
    private static final long serialVersionUID = 1L;

    private final ArrayList<String> problems;

    BadEnvironment(List<String> problems) {
      super(String.join("\n", problems));
      this.problems = new ArrayList<>(problems);
    }

    List<String> problems() {
      return problems;
    }
  }

  static AgentSettings of(Map<String, String> environment) throws BadEnvironment {
    var problems = new ArrayList<String>();
    var node = required(environment, "NODE_NAME", "the name of this node", problems);
    var namespace = required(environment, "POD_NAMESPACE", "the agent's namespace", problems);
    var pod = required(environment, "POD_NAME", "the name of the agent's own pod", problems);
    var hostAddress = address(environment, "HOST_IP", problems);
    int port = port(environment, "HTTP_PORT", 15019, problems);
    var binaries = path(environment, "CNI_BIN_DIR", "/host/cni/bin", problems);
    var configurations = path(environment, "CNI_CONF_DIR", "/host/cni/conf", problems);
    var plugin = path(environment, "CNI_PLUGIN", "/opt/ambit/ambit-cni", problems);
    var cniSocket = path(environment, "CNI_SOCKET", "/var/run/ambit/cni.sock", problems);
    var zdsSocket = path(environment, "ZDS_SOCKET", "/var/run/ztunnel/ztunnel.sock", problems);
    var state = path(environment, "STATE_DIR", "/var/lib/ambit", problems);
    var networks = path(environment, "NETNS_DIR", "/var/run/netns", problems);
    if (!problems.isEmpty()) {
      throw new BadEnvironment(problems);
    }
    return new AgentSettings(
        node,
        namespace,
        pod,
        hostAddress,
        port,
        binaries,
        configurations,
        plugin,
        cniSocket,
        zdsSocket,
        state,
        networks);
  }

  private static String required(
      Map<String, String> environment, String name, String meaning, List<String> problems) {
    var value = environment.getOrDefault(name, "");
    if (value.isBlank()) {
      problems.add(name + " is not set; set it to " + meaning);
    }
    return value;
  }

  private static Path path(
      Map<String, String> environment, String name, String otherwise, List<String> problems) {
    var value = environment.getOrDefault(name, otherwise);
    if (!value.startsWith("/") || value.indexOf('\0') >= 0) {
      problems.add(name + "='" + value + "' is not an absolute path");
      return Path.of(otherwise);
    }
    return Path.of(value);
  }

  private static int port(
      Map<String, String> environment, String name, int otherwise, List<String> problems) {
    var value = environment.getOrDefault(name, Integer.toString(otherwise));
    try {
      int port = Integer.parseInt(value);
      if (port >= 0 && port <= 65_535) {
        return port;
      }
    } catch (NumberFormatException e) {
      problems.add(name + "='" + value + "' is not a number");
      return otherwise;
    }
    problems.add(name + "='" + value + "' is not a port; ports go from 1 to 65535");
    return otherwise;
  }

  private static Optional<InetAddress> address(
      Map<String, String> environment, String name, List<String> problems) {
    var value = environment.getOrDefault(name, "");
    if (value.isEmpty()) {
      return Optional.empty();
    }
    try {
      return Optional.of(InetAddress.ofLiteral(value));
    } catch (IllegalArgumentException e) {
      problems.add(name + "='" + value + "' is not an IP address");
      return Optional.empty();
    }
  }
}
