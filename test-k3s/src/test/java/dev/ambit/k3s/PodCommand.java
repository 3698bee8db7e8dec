package dev.ambit.k3s;

import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A command that runs in a pod, as {@code kubectl exec} runs it. */
final class PodCommand {

  private static final long SECONDS = 60;

  private PodCommand() {}

  static CommandResult run(
      KubernetesClient client, String namespace, String pod, String... command) {
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    ByteArrayOutputStream error = new ByteArrayOutputStream();
    try (ExecWatch running =
        client
            .pods()
            .inNamespace(namespace)
            .withName(pod)
            .writingOutput(output)
            .writingError(error)
            .exec(command)) {
      int exitCode = running.exitCode().get(SECONDS, TimeUnit.SECONDS);
      return new CommandResult(
          exitCode,
          output.toString(StandardCharsets.UTF_8),
          error.toString(StandardCharsets.UTF_8));
    } catch (ExecutionException e) {
      throw new IllegalStateException(
          "Cannot run a command in pod " + namespace + "/" + pod, e.getCause());
    } catch (TimeoutException e) {
      throw new AssertionError(
          "A command in pod "
              + namespace
              + "/"
              + pod
              + " did not end within "
              + SECONDS
              + " s; so far: "
              + output.toString(StandardCharsets.UTF_8),
          e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("Interrupted while a command ran in a pod", e);
    }
  }
}
