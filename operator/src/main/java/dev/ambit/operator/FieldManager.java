package dev.ambit.operator;

import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;

/** The name under which the operator owns the fields that it applies. */
public final class FieldManager {
  public static final String NAME = "ambit-operator";

  private FieldManager() {}

  /** Server-side apply: takes the fields that {@code wanted} has, and leaves all others alone. */
  public static <T extends HasMetadata> T apply(KubernetesClient client, T wanted) {
    return client.resource(wanted).patch(serverSideApply(NAME));
  }

  /** The same for the status of {@code wanted} alone. */
  public static <T extends HasMetadata> T applyStatus(KubernetesClient client, T wanted) {
    return applyStatus(client, wanted, NAME);
  }

  /** The same for a status that the operator owns a part of under another name. */
  public static <T extends HasMetadata> T applyStatus(
      KubernetesClient client, T wanted, String name) {
    return client.resource(wanted).subresource("status").patch(serverSideApply(name));
  }

  private static PatchContext serverSideApply(String name) {
    return new PatchContext.Builder()
        .withPatchType(PatchType.SERVER_SIDE_APPLY)
        .withFieldManager(name)
        .withForce(true)
        .build();
  }
}
