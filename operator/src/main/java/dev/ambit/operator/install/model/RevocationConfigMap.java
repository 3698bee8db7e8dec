package dev.ambit.operator.install.model;

import dev.ambit.api.AmbientMesh;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.CommonLabels;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import java.util.Map;

/** What brings revocation lists to the ztunnels, which mount it. */
public final class RevocationConfigMap {
  private RevocationConfigMap() {}

  /**
   * The ConfigMap with these lists.
   *
   * @param pem empty for none: the file disappears from the ztunnels, and nothing is revoked
   */
  public static ConfigMap of(AmbientMesh mesh, String rootNamespace, String pem) {
    return new ConfigMapBuilder()
        .withNewMetadata()
        .withNamespace(rootNamespace)
        .withName(WellKnown.REVOCATION_CONFIG_MAP)
        .withLabels(CommonLabels.of(WellKnown.REVOCATION_CONFIG_MAP))
        .withOwnerReferences(NodeComponent.owner(mesh))
        .endMetadata()
        .withData(pem.isEmpty() ? Map.of() : Map.of(WellKnown.REVOCATION_KEY, pem))
        .build();
  }
}
