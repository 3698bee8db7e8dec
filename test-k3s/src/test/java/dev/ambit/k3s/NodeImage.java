package dev.ambit.k3s;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.testcontainers.utility.DockerImageName;

/**
 * The image that the nodes run: {@code rancher/k3s}, or the one that speaks its contract and was
 * built here.
 *
 * @param reference what the engine knows it by
 */
public record NodeImage(String reference) {

  private static final String K3S = "rancher/k3s";

  /** Carries tcpdump and iptables, which {@code rancher/k3s} has not. */
  private static final String TOOLS = "nicolaka/netshoot:v0.13";

  /**
   * The image of this checkout: the environment's {@code AMBIT_NODE_IMAGE}, else what {@code
   * test-k3s/bin/node-image} left.
   */
  public static Optional<NodeImage> ofCheckout() {
    String given = System.getenv("AMBIT_NODE_IMAGE");
    if (given != null && !given.isBlank()) {
      return Optional.of(new NodeImage(given));
    }
    Path reference = Checkout.root().resolve(".build/node-image/reference");
    try {
      return Files.exists(reference)
          ? Optional.of(new NodeImage(Files.readString(reference).strip()))
          : Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("Cannot read " + reference, e);
    }
  }

  DockerImageName name() {
    return DockerImageName.parse(reference).asCompatibleSubstituteFor(K3S);
  }

  /** An image with tcpdump and iptables, to be run inside a node's network namespace. */
  DockerImageName tools() {
    boolean k3s = DockerImageName.parse(reference).getUnversionedPart().equals(K3S);
    return DockerImageName.parse(
        System.getenv().getOrDefault("AMBIT_TOOLS_IMAGE", k3s ? TOOLS : reference));
  }
}
