package dev.ambit.operator.model;

import dev.ambit.protocol.workload.WorkloadType;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.Pod;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a pod belongs to in the eyes of a person: the Deployment and not its ReplicaSet, the CronJob
 * and not one of its Jobs.
 */
public record WorkloadOwner(WorkloadType type, String name) {
  /** The CronJob controller names a Job after itself and the minute it was due. */
  private static final Pattern CRON_JOB_RUN = Pattern.compile("(.+)-\\d{8,10}");

  private static final String TEMPLATE_HASH = "pod-template-hash";

  /** That of a pod; the pod itself where nothing controls it. */
  public static WorkloadOwner of(Pod pod) {
    List<OwnerReference> owners = pod.getMetadata().getOwnerReferences();
    if (owners != null) {
      for (OwnerReference owner : owners) {
        if (Boolean.TRUE.equals(owner.getController())) {
          return of(pod, owner);
        }
      }
    }
    return new WorkloadOwner(WorkloadType.POD, pod.getMetadata().getName());
  }

  private static WorkloadOwner of(Pod pod, OwnerReference owner) {
    String name = owner.getName();
    if ("ReplicaSet".equals(owner.getKind())) {
      Map<String, String> labels = pod.getMetadata().getLabels();
      String suffix = labels == null ? null : labels.get(TEMPLATE_HASH);
      if (suffix != null && name.endsWith("-" + suffix)) {
        return new WorkloadOwner(
            WorkloadType.DEPLOYMENT, name.substring(0, name.length() - suffix.length() - 1));
      }
      return new WorkloadOwner(WorkloadType.POD, name);
    }
    if ("Job".equals(owner.getKind())) {
      Matcher run = CRON_JOB_RUN.matcher(name);
      return run.matches()
          ? new WorkloadOwner(WorkloadType.CRONJOB, run.group(1))
          : new WorkloadOwner(WorkloadType.JOB, name);
    }
    return new WorkloadOwner(WorkloadType.POD, name);
  }
}
