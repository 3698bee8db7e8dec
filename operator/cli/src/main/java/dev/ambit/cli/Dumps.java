package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.ZtunnelDump;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** Asks ztunnels what they know. */
final class Dumps {
  private Dumps() {}

  /**
   * The dumps of those that answered, and why the others did not.
   *
   * @param missing by the pod's name
   */
  record Collected(List<ZtunnelDump> dumps, List<Missing> missing) {
    /** Those dumps, where at least one came; what is missing is said beside the result. */
    List<ZtunnelDump> orFail(Environment environment) {
      for (Missing each : missing) {
        environment.err().println("ambit: ztunnel " + each.pod() + " gives no dump: " + each.why());
      }
      if (dumps.isEmpty()) {
        throw Failure.refused(
            missing.isEmpty()
                ? "there is no ztunnel: see `ambit check`"
                : "no ztunnel gives a dump: is pods/portforward permitted?");
      }
      return dumps;
    }

    boolean complete() {
      return missing.isEmpty();
    }
  }

  /** A ztunnel that did not answer. */
  record Missing(String pod, String why) {}

  /** Asks all ztunnels at the same time, or that of one node. */
  static Collected collect(AdminPort adminPort, Cluster cluster, @Nullable String node) {
    List<JsonNode> pods =
        cluster.componentPods("ambit-ztunnel").stream()
            .filter(pod -> node == null || node.equals(Objects.text(pod, "/spec/nodeName")))
            .filter(pod -> Objects.text(pod, "/status/phase").equals("Running"))
            .toList();
    List<ZtunnelDump> dumps = new ArrayList<>();
    List<Missing> missing = new ArrayList<>();
    try (ExecutorService executor = Executors.newFixedThreadPool(8)) {
      List<Future<ZtunnelDump>> answers =
          pods.stream().map(pod -> executor.submit(() -> dump(adminPort, cluster, pod))).toList();
      for (int i = 0; i < answers.size(); i++) {
        try {
          dumps.add(answers.get(i).get());
        } catch (ExecutionException e) {
          missing.add(
              new Missing(
                  Objects.name(pods.get(i)),
                  e.getCause() == null ? "?" : String.valueOf(e.getCause().getMessage())));
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.TIMEOUT, "interrupted");
    }
    return new Collected(dumps, missing);
  }

  private static ZtunnelDump dump(AdminPort adminPort, Cluster cluster, JsonNode pod)
      throws IOException {
    return new ZtunnelDump(
        Objects.text(pod, "/spec/nodeName"),
        Objects.name(pod),
        Cluster.parse(
            adminPort.get(
                cluster.client(), cluster.rootNamespace(), Objects.name(pod), "/config_dump")));
  }
}
