package dev.ambit.ztunnel.netns;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * A ztunnel that can be run on a node: Ambit's, or another one that takes the same settings.
 *
 * @param name what reports call it
 * @param command how it is run
 * @param capabilities what it may do, as its DaemonSet grants it
 */
public record ZtunnelProgram(String name, List<String> command, String capabilities) {
  private static final String AMBITS_CAPABILITIES = "-all,+net_admin,+sys_admin";
  private static final String AMBITS_CAPABILITIES_FOR_UDP =
      AMBITS_CAPABILITIES + ",+net_bind_service,+net_raw";
  private static final String PEERS_CAPABILITIES = "-all,+net_admin,+sys_admin,+net_raw";

  /** The variable that holds the command of another ztunnel. */
  public static final String PEER = "PEER";

  /** What {@code make build} leaves to be run. */
  public static ZtunnelProgram ambit() {
    var program = Path.of("bin", "ztunnel").toAbsolutePath();
    if (!Files.isExecutable(program)) {
      throw new IllegalStateException(
          program + " is missing: run this in the ztunnel's folder of a checkout");
    }
    return new ZtunnelProgram("ambit", List.of(program.toString()), AMBITS_CAPABILITIES);
  }

  /** The same, as its DaemonSet grants it where the mesh carries UDP. */
  public static ZtunnelProgram ambitWithUdp() {
    var ambit = ambit();
    return new ZtunnelProgram(ambit.name(), ambit.command(), AMBITS_CAPABILITIES_FOR_UDP);
  }

  /**
   * The same where {@code PEER_UDP} is {@code true}: another version of Ambit's carries UDP too.
   */
  public static Optional<ZtunnelProgram> peerWithUdp() {
    return peer()
        .filter(peer -> "true".equals(System.getenv("PEER_UDP")))
        .map(peer -> new ZtunnelProgram(peer.name(), peer.command(), AMBITS_CAPABILITIES_FOR_UDP));
  }

  /** The ztunnel that the variable {@code PEER} names, such as Istio's. */
  public static Optional<ZtunnelProgram> peer() {
    return Optional.ofNullable(System.getenv(PEER))
        .filter(command -> !command.isBlank())
        .map(
            command ->
                new ZtunnelProgram(
                    "peer", List.of("sh", "-c", "exec " + command), PEERS_CAPABILITIES));
  }

  /** The same, with what it prints in a file. */
  ZtunnelProgram loggingTo(Path file) {
    var shell = new java.util.ArrayList<>(List.of("sh", "-c", "exec \"$@\" >>\"$0\" 2>&1"));
    shell.add(file.toString());
    shell.addAll(command);
    return new ZtunnelProgram(name, List.copyOf(shell), capabilities);
  }

  /** The command with no more capabilities than these, and no way to more. */
  List<String> confined() {
    var confined =
        new java.util.ArrayList<>(
            List.of("setpriv", "--no-new-privs", "--bounding-set=" + capabilities));
    confined.addAll(command);
    return confined;
  }

  @Override
  public String toString() {
    return name;
  }
}
