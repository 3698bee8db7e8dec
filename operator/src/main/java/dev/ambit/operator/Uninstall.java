package dev.ambit.operator;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.WellKnown;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the mesh off the nodes before the operator is removed, since nobody would afterwards:
 * deletes the AmbientMesh, and waits until the operator has seen every node clean.
 */
public final class Uninstall {
  private static final Logger LOG = LoggerFactory.getLogger(Uninstall.class);

  private Uninstall() {}

  /** Takes the time to wait, in ISO-8601's form; ends with 1 where nodes are not clean by then. */
  public static void main(String[] arguments) {
    if (arguments.length != 1) {
      LOG.atError().log("give one argument, how long to wait: PT4M");
      System.exit(2);
    }
    try (KubernetesClient client = new KubernetesClientBuilder().build()) {
      if (!remove(client, Duration.parse(arguments[0]))) {
        System.exit(1);
      }
    }
  }

  /** Whether the AmbientMesh is gone within {@code patience}. */
  static boolean remove(KubernetesClient client, Duration patience) {
    var mesh = client.resources(AmbientMesh.class).withName(WellKnown.DEFAULT_NAME);
    mesh.delete();
    try {
      mesh.waitUntilCondition(Objects::isNull, patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (KubernetesClientTimeoutException e) {
      LOG.atError()
          .addKeyValue("name", WellKnown.DEFAULT_NAME)
          .addKeyValue("waited", patience)
          .log(
              "the mesh is still on some nodes, so the operator stays: see the events of the"
                  + " AmbientMesh, take the namespaces that it names out of the mesh, and"
                  + " uninstall again");
      return false;
    }
    LOG.atInfo().addKeyValue("name", WellKnown.DEFAULT_NAME).log("the mesh is off all nodes");
    return true;
  }
}
