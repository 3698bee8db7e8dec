package dev.ambit.operator;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.Conditions;
import dev.ambit.api.MeshEnrollment;
import dev.ambit.api.MeshEnrollmentStatus;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.model.Names;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import java.net.HttpURLConnection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Takes the mesh off the nodes before the operator is removed, since nobody would afterwards:
 * deletes the AmbientMesh, and waits until the operator has seen every node clean and has taken
 * away what it keeps in namespaces. Where the AmbientMesh is not the release's own, refuses while
 * there is one.
 */
public final class Uninstall {
  private static final Logger LOG = LoggerFactory.getLogger(Uninstall.class);

  /** The argument for a mesh that is not the release's own. */
  static final String REFUSE = "refuse";

  private static final Duration LOOK = Duration.ofMillis(500);
  private static final int MOST_NAMED = 20;

  private Uninstall() {}

  /**
   * Takes the time to wait, in ISO-8601's form, and {@value #REFUSE} where a mesh is not to be
   * deleted; ends with 1 where something is left by then.
   */
  public static void main(String[] arguments) throws InterruptedException {
    boolean refuses = arguments.length == 2 && REFUSE.equals(arguments[1]);
    if (arguments.length != 1 && !refuses) {
      LOG.atError().log("give how long to wait, such as PT4M, and perhaps " + REFUSE);
      System.exit(2);
    }
    try (KubernetesClient client = new KubernetesClientBuilder().build()) {
      Duration patience = Duration.parse(arguments[0]);
      if (!(refuses ? isAbsent(client) : remove(client, patience))) {
        System.exit(1);
      }
    }
  }

  /** Whether there is no mesh that an operator is needed for. */
  static boolean isAbsent(KubernetesClient client) {
    if (client.resources(AmbientMesh.class).withName(WellKnown.DEFAULT_NAME).get() == null) {
      return true;
    }
    LOG.atError()
        .addKeyValue("name", WellKnown.DEFAULT_NAME)
        .addKeyValue("enrolled", enrolled(client))
        .log(
            "there is an AmbientMesh, which is not this release's own, so the operator stays:"
                + " delete it where it comes from, wait until it is gone, and uninstall again");
    return false;
  }

  /** Whether nothing of the mesh is left within {@code patience}. */
  static boolean remove(KubernetesClient client, Duration patience) throws InterruptedException {
    long end = System.nanoTime() + patience.toNanos();
    var mesh = client.resources(AmbientMesh.class).withName(WellKnown.DEFAULT_NAME);
    mesh.delete();
    try {
      mesh.waitUntilCondition(Objects::isNull, patience.toMillis(), TimeUnit.MILLISECONDS);
    } catch (KubernetesClientTimeoutException e) {
      LOG.atError()
          .addKeyValue("name", WellKnown.DEFAULT_NAME)
          .addKeyValue("waited", patience)
          .addKeyValue("state", state(mesh.get()))
          .addKeyValue("enrolled", enrolled(client))
          .log(
              "the mesh is still on some nodes, so the operator stays: see the events of the"
                  + " AmbientMesh, take the namespaces that it names out of the mesh, and"
                  + " uninstall again");
      return false;
    }
    LOG.atInfo().addKeyValue("name", WellKnown.DEFAULT_NAME).log("the mesh is off all nodes");
    List<String> left = leftovers(client);
    while (!left.isEmpty() && System.nanoTime() < end) {
      Thread.sleep(LOOK);
      left = leftovers(client);
    }
    if (!left.isEmpty()) {
      LOG.atError()
          .addKeyValue("left", Names.some(left, MOST_NAMED))
          .log(
              "the operator has not taken these away, so it stays: see its log, and uninstall"
                  + " again");
      return false;
    }
    LOG.atInfo().log("nothing of the mesh is left in any namespace");
    return true;
  }

  private static String state(AmbientMesh mesh) {
    return mesh == null || mesh.getStatus() == null
        ? "unknown"
        : Conditions.find(mesh.getStatus().conditions(), Conditions.READY)
            .map(condition -> condition.getMessage())
            .orElse("unknown");
  }

  /** Namespaces with captured pods. */
  private static String enrolled(KubernetesClient client) {
    return Names.some(
        client.resources(MeshEnrollment.class).inAnyNamespace().list().getItems().stream()
            .filter(Uninstall::hasCapturedPods)
            .map(enrollment -> enrollment.getMetadata().getNamespace())
            .distinct()
            .sorted()
            .toList(),
        MOST_NAMED);
  }

  private static boolean hasCapturedPods(MeshEnrollment enrollment) {
    MeshEnrollmentStatus status = enrollment.getStatus();
    return status != null && status.pods() != null && status.pods().captured() > 0;
  }

  /** What the operator keeps while there is a mesh, and has yet to take away. */
  private static List<String> leftovers(KubernetesClient client) {
    List<String> left = new ArrayList<>();
    named(
        left,
        "ConfigMap",
        () ->
            client
                .configMaps()
                .inAnyNamespace()
                .withField("metadata.name", WellKnown.ROOT_CERTIFICATE_CONFIG_MAP)
                .list()
                .getItems());
    named(
        left,
        "MeshEnrollment",
        () ->
            client
                .resources(MeshEnrollment.class)
                .inAnyNamespace()
                .withLabel(WellKnown.MIRROR, "true")
                .list()
                .getItems());
    named(
        left,
        "ClusterMeshEnrollment",
        () ->
            client.resources(ClusterMeshEnrollment.class).list().getItems().stream()
                .filter(fleet -> fleet.hasFinalizer(WellKnown.FLEET_FINALIZER))
                .toList());
    return left;
  }

  private static void named(
      List<String> into, String kind, Supplier<List<? extends HasMetadata>> objects) {
    try {
      for (HasMetadata each : objects.get()) {
        String namespace = each.getMetadata().getNamespace();
        into.add(
            kind + " " + (namespace == null ? "" : namespace + "/") + each.getMetadata().getName());
      }
    } catch (KubernetesClientException e) {
      if (e.getCode() != HttpURLConnection.HTTP_NOT_FOUND) {
        throw e;
      }
      // The cluster has no such kind.
    }
  }
}
