package dev.ambit.ztunnel.netns;

import dev.ambit.operator.controlplane.ControlPlane;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/**
 * The operator's control plane in a process of its own, so that its memory can be told from the
 * measurement's.
 *
 * <p>Reads a line and answers one:
 *
 * <ul>
 *   <li>{@code serve URL}: begins to serve what that API server has; answers the port
 *   <li>{@code memory}: collects garbage; answers the process and the KiB of its heap that are used
 * </ul>
 */
public final class MeasuredControlPlane {
  private MeasuredControlPlane() {}

  /** Works until its input ends. */
  public static void main(String[] arguments) throws Exception {
    // Whoever asks reads one line for each question: what is logged must not stand among these.
    var answers = System.out;
    System.setOut(System.err);
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      var words = line.split(" ");
      answers.println(
          switch (words[0]) {
            case "serve" -> serve(words[1]).port();
            case "memory" -> ProcessHandle.current().pid() + " " + usedKibibytes();
            default -> throw new IllegalArgumentException("not a command: " + words[0]);
          });
    }
    System.exit(0);
  }

  private static ControlPlane serve(String url) throws Exception {
    var client =
        new KubernetesClientBuilder()
            .withConfig(
                new ConfigBuilder()
                    .withMasterUrl(url)
                    .withTrustCerts(true)
                    .withNamespace(WaypointMesh.NAMESPACE)
                    .build())
            .build();
    return WaypointMesh.serve(client, new SimpleMeterRegistry());
  }

  private static long usedKibibytes() throws InterruptedException {
    var runtime = Runtime.getRuntime();
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(200);
    }
    return (runtime.totalMemory() - runtime.freeMemory()) / 1024;
  }
}
