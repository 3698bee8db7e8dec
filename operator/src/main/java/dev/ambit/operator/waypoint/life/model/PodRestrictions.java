package dev.ambit.operator.waypoint.life.model;

import io.fabric8.kubernetes.api.model.AppArmorProfile;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.PodSecurityContext;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.SeccompProfile;
import io.fabric8.kubernetes.api.model.SecurityContext;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeProjection;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What a namespace's own parameters cannot make of a waypoint's pods: the operator writes them with
 * its own rights, so whoever may write ConfigMaps and Gateways must not get more by it than the
 * "restricted" level of Pod Security gives, and none of the namespace's Secrets.
 */
final class PodRestrictions {
  private static final Set<String> SECCOMP = Set.of("RuntimeDefault", "Localhost");

  private PodRestrictions() {}

  static void check(PodSpec pod) throws InvalidParametersException {
    refuse(isTrue(pod.getHostNetwork()), "hostNetwork");
    refuse(isTrue(pod.getHostPID()), "hostPID");
    refuse(isTrue(pod.getHostIPC()), "hostIPC");
    refuse(isTrue(pod.getAutomountServiceAccountToken()), "automountServiceAccountToken");
    PodSecurityContext security = pod.getSecurityContext();
    refuse(
        security != null && security.getSysctls() != null && !security.getSysctls().isEmpty(),
        "sysctls");
    refuse(
        security != null && Objects.equals(security.getRunAsUser(), 0L), "runAsUser 0 of the pod");
    refuse(security != null && security.getSeLinuxOptions() != null, "seLinuxOptions of the pod");
    refuse(
        security != null && isUnconfined(security.getAppArmorProfile()),
        "an appArmorProfile of the pod");
    for (Volume volume : orEmpty(pod.getVolumes())) {
      volume(volume);
    }
    List<Container> containers =
        Stream.concat(
                orEmpty(pod.getContainers()).stream(), orEmpty(pod.getInitContainers()).stream())
            .toList();
    for (Container container : containers) {
      container(container, security);
    }
  }

  private static void volume(Volume volume) throws InvalidParametersException {
    boolean allowed =
        volume.getConfigMap() != null
            || volume.getEmptyDir() != null
            || volume.getDownwardAPI() != null
            || volume.getPersistentVolumeClaim() != null
            || (volume.getProjected() != null
                && orEmpty(volume.getProjected().getSources()).stream()
                    .allMatch(PodRestrictions::allowed));
    refuse(!allowed, "volume " + volume.getName());
  }

  /** A token for the API server is no use to a waypoint, and one for the mesh it has. */
  private static boolean allowed(VolumeProjection source) {
    return source.getSecret() == null
        && (source.getServiceAccountToken() == null
            || "istio-ca".equals(source.getServiceAccountToken().getAudience()));
  }

  private static void container(Container container, @Nullable PodSecurityContext pod)
      throws InvalidParametersException {
    String name = " of container " + container.getName();
    SecurityContext security = container.getSecurityContext();
    if (security == null) {
      throw new InvalidParametersException(refusal("a missing securityContext" + name));
    }
    refuse(isTrue(security.getPrivileged()), "privileged" + name);
    refuse(
        !Objects.equals(security.getAllowPrivilegeEscalation(), false),
        "allowPrivilegeEscalation" + name);
    refuse(
        security.getCapabilities() == null
            || !orEmpty(security.getCapabilities().getDrop()).contains("ALL"),
        "capabilities that are not dropped" + name);
    refuse(
        security.getCapabilities() != null
            && orEmpty(security.getCapabilities().getAdd()).stream()
                .anyMatch(capability -> !capability.equals("NET_BIND_SERVICE")),
        "added capabilities" + name);
    refuse(Objects.equals(security.getRunAsUser(), 0L), "runAsUser 0" + name);
    refuse(
        !isTrue(
            security.getRunAsNonRoot() != null
                ? security.getRunAsNonRoot()
                : pod == null ? null : pod.getRunAsNonRoot()),
        "runAsNonRoot that is not true" + name);
    SeccompProfile seccomp =
        security.getSeccompProfile() != null
            ? security.getSeccompProfile()
            : pod == null ? null : pod.getSeccompProfile();
    refuse(
        seccomp == null || !SECCOMP.contains(String.valueOf(seccomp.getType())),
        "a missing seccompProfile" + name);
    refuse(security.getSeLinuxOptions() != null, "seLinuxOptions" + name);
    refuse(isUnconfined(security.getAppArmorProfile()), "an appArmorProfile" + name);
    refuse(
        security.getProcMount() != null && !"Default".equals(security.getProcMount()),
        "procMount" + name);
    for (EnvVar variable : orEmpty(container.getEnv())) {
      refuse(
          variable.getValueFrom() != null && variable.getValueFrom().getSecretKeyRef() != null,
          "the Secret in variable " + variable.getName() + name);
    }
    refuse(
        orEmpty(container.getEnvFrom()).stream().anyMatch(source -> source.getSecretRef() != null),
        "the Secret in envFrom" + name);
    refuse(
        orEmpty(container.getPorts()).stream()
            .anyMatch(port -> port.getHostPort() != null && port.getHostPort() != 0),
        "hostPort" + name);
  }

  private static boolean isUnconfined(@Nullable AppArmorProfile profile) {
    return profile != null && !"RuntimeDefault".equals(profile.getType());
  }

  private static void refuse(boolean bad, String what) throws InvalidParametersException {
    if (bad) {
      throw new InvalidParametersException(refusal(what));
    }
  }

  private static String refusal(String what) {
    return "a namespace's own parameters cannot ask for "
        + what
        + "; parameters of the class, in the mesh's own namespace, can";
  }

  private static boolean isTrue(@Nullable Boolean value) {
    return value != null && value;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
