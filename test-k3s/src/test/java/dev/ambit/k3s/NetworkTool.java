package dev.ambit.k3s;

import com.github.dockerjava.api.model.Capability;
import java.util.Arrays;
import java.util.List;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.utility.DockerImageName;

/**
 * A container that shares a node's network namespace and holds one network tool. Works with any
 * node image, and on machines where the engine's processes cannot be reached from outside.
 */
final class NetworkTool {

  private NetworkTool() {}

  static GenericContainer<?> container(
      DockerImageName image, String nodeContainerId, String program, List<String> arguments) {
    return new GenericContainer<>(image)
        .withNetworkMode("container:" + nodeContainerId)
        .withCommand(arguments.toArray(String[]::new))
        .withCreateContainerCmdModifier(
            command -> {
              command.withEntrypoint(program);
              command.getHostConfig().withCapAdd(Capability.NET_ADMIN, Capability.NET_RAW);
            });
  }

  static CommandResult run(DockerImageName image, String nodeContainerId, String... command) {
    try (GenericContainer<?> tool =
        container(image, nodeContainerId, "sleep", List.of("infinity"))) {
      tool.start();
      return new ClusterNode(Arrays.toString(command), tool, image).exec(command);
    }
  }
}
