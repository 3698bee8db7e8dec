package dev.ambit.operator.preflight.model;

import dev.ambit.operator.model.WorkloadOwner;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.Locale;

/** Names what pods belong to, as findings name objects. */
final class Workloads {
  private Workloads() {}

  /** The Deployment, CronJob or Job of a pod, or the pod itself. */
  static String of(String namespace, Pod pod) {
    WorkloadOwner owner = WorkloadOwner.of(pod);
    String kind =
        switch (owner.type()) {
          case DEPLOYMENT -> "Deployment";
          case CRONJOB -> "CronJob";
          case JOB -> "Job";
          case POD, UNRECOGNIZED -> kind(pod);
        };
    return kind + " " + namespace + "/" + owner.name();
  }

  /** What made it where that is neither, such as a StatefulSet. */
  private static String kind(Pod pod) {
    return pod.getMetadata().getOwnerReferences() == null
        ? "Pod"
        : pod.getMetadata().getOwnerReferences().stream()
            .filter(owner -> Boolean.TRUE.equals(owner.getController()))
            .map(owner -> owner.getKind())
            .filter(kind -> !kind.toLowerCase(Locale.ROOT).equals("node"))
            .findFirst()
            .orElse("Pod");
  }
}
