package dev.ambit.operator.install.model;

import dev.ambit.api.AmbientMesh;
import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.EnvVarBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.api.model.ResourceRequirements;
import io.fabric8.kubernetes.api.model.ResourceRequirementsBuilder;
import io.fabric8.kubernetes.api.model.Toleration;
import io.fabric8.kubernetes.api.model.TolerationBuilder;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeBuilder;
import io.fabric8.kubernetes.api.model.VolumeMount;
import io.fabric8.kubernetes.api.model.VolumeMountBuilder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the two node components have in common. */
final class NodeComponent {
  static final String SOCKET_DIRECTORY = "/var/run/ztunnel";
  static final String PRIORITY_CLASS = "system-node-critical";

  private NodeComponent() {}

  /** Garbage collection takes the component with the AmbientMesh, should the finalizer be lost. */
  static OwnerReference owner(AmbientMesh mesh) {
    return new OwnerReferenceBuilder()
        .withApiVersion(mesh.getApiVersion())
        .withKind(mesh.getKind())
        .withName(mesh.getMetadata().getName())
        .withUid(mesh.getMetadata().getUid())
        .withController(true)
        .withBlockOwnerDeletion(true)
        .build();
  }

  static Map<String, String> selector(String name) {
    return Map.of(CommonLabels.NAME, name, CommonLabels.PART_OF, CommonLabels.AMBIT);
  }

  /** A node without its components would let traffic through that should be protected. */
  static Toleration everyNode() {
    return new TolerationBuilder().withOperator("Exists").build();
  }

  /** Ambit's own variables, replaced or followed by the user's. */
  static List<EnvVar> merge(List<EnvVar> own, List<EnvVar> user) {
    Map<String, EnvVar> byName = new LinkedHashMap<>();
    own.forEach(variable -> byName.put(variable.getName(), variable));
    user.forEach(variable -> byName.put(variable.getName(), variable));
    return new ArrayList<>(byName.values());
  }

  static EnvVar variable(String name, String value) {
    return new EnvVarBuilder().withName(name).withValue(value).build();
  }

  static EnvVar field(String name, String path) {
    return new EnvVarBuilder()
        .withName(name)
        .withNewValueFrom()
        .withNewFieldRef()
        .withApiVersion("v1")
        .withFieldPath(path)
        .endFieldRef()
        .endValueFrom()
        .build();
  }

  static Volume hostPath(String name, String path) {
    return new VolumeBuilder()
        .withName(name)
        .withNewHostPath()
        .withPath(path)
        .withType("DirectoryOrCreate")
        .endHostPath()
        .build();
  }

  static Volume emptyDirectory(String name) {
    return new VolumeBuilder().withName(name).withNewEmptyDir().endEmptyDir().build();
  }

  static VolumeMount mount(String name, String path) {
    return new VolumeMountBuilder().withName(name).withMountPath(path).build();
  }

  static ResourceRequirements orElse(
      @Nullable ResourceRequirements asked, String cpu, String memory) {
    return asked != null
        ? asked
        : new ResourceRequirementsBuilder()
            .addToRequests("cpu", new Quantity(cpu))
            .addToRequests("memory", new Quantity(memory))
            .build();
  }
}
