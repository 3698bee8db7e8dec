package dev.ambit.operator.install;

import dev.ambit.api.AmbientMesh;
import dev.ambit.operator.FieldManager;
import dev.ambit.operator.install.model.AgentDaemonSet;
import dev.ambit.operator.install.model.ZtunnelDaemonSet;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.reconciler.Context;
import io.javaoperatorsdk.operator.processing.dependent.kubernetes.SSABasedGenericKubernetesResourceMatcher;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Brings the DaemonSets of ztunnel and agent to what an AmbientMesh asks for. */
public final class NodeComponents {
  private static final Logger LOG = LoggerFactory.getLogger(NodeComponents.class);

  private final String rootNamespace;

  public NodeComponents(String rootNamespace) {
    this.rootNamespace = rootNamespace;
  }

  /**
   * Applies those that differ, so that an unchanged mesh writes nothing and a component that
   * someone has edited is repaired.
   *
   * @param actual what there is, by name
   */
  public void apply(
      AmbientMesh mesh,
      Function<String, Optional<DaemonSet>> actual,
      Context<AmbientMesh> context) {
    for (DaemonSet wanted :
        List.of(AgentDaemonSet.of(mesh, rootNamespace), ZtunnelDaemonSet.of(mesh, rootNamespace))) {
      String name = wanted.getMetadata().getName();
      if (actual.apply(name).filter(is -> matches(is, wanted, context)).isEmpty()) {
        FieldManager.apply(context.getClient(), wanted);
        LOG.atInfo()
            .addKeyValue("namespace", rootNamespace)
            .addKeyValue("name", name)
            .log("applied the node component's DaemonSet");
      }
    }
  }

  private static boolean matches(DaemonSet actual, DaemonSet wanted, Context<AmbientMesh> context) {
    return SSABasedGenericKubernetesResourceMatcher.<DaemonSet>getInstance()
        .matches(actual, wanted, context);
  }

  /** Removes both. Those that are gone are no error. */
  public void remove(KubernetesClient client) {
    for (String name : List.of(AgentDaemonSet.NAME, ZtunnelDaemonSet.NAME)) {
      client.apps().daemonSets().inNamespace(rootNamespace).withName(name).delete();
    }
  }
}
