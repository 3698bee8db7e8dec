package dev.ambit.k3s;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.utility.DockerImageName;

/** Records what passes an interface of a node, until it is closed. */
public final class PacketCapture implements AutoCloseable {

  private static final String FILE = "/tmp/capture.pcap";

  private final GenericContainer<?> tcpdump;

  private PacketCapture(GenericContainer<?> tcpdump) {
    this.tcpdump = tcpdump;
  }

  static PacketCapture start(
      DockerImageName tools, String nodeContainerId, String networkInterface, String filter) {
    List<String> arguments =
        new ArrayList<>(List.of("-Z", "root", "-n", "-s", "0", "--immediate-mode", "-U"));
    arguments.addAll(List.of("-i", networkInterface, "-w", FILE));
    if (!filter.isBlank()) {
      arguments.add(filter);
    }
    GenericContainer<?> tcpdump =
        NetworkTool.container(tools, nodeContainerId, "tcpdump", arguments)
            .waitingFor(Wait.forLogMessage("(?s).*listening on.*", 1));
    tcpdump.start();
    return new PacketCapture(tcpdump);
  }

  /** The TCP and UDP packets seen so far. A packet appears here a moment after it has passed. */
  public List<Packet> packets() {
    return PcapReader.read(file());
  }

  /** Leaves the capture so far as a file that tcpdump and Wireshark read. */
  public void saveTo(Path target) throws IOException {
    Files.write(target, file());
  }

  private byte[] file() {
    return tcpdump.copyFileFromContainer(FILE, InputStream::readAllBytes);
  }

  @Override
  public void close() {
    tcpdump.close();
  }
}
