package dev.ambit.k3s;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests the one cluster of this test run, which starts when the first test asks and ends with
 * the run. Where a machine cannot have one, tests are skipped with the reason, and fail with it
 * where the environment says {@code CI=true}.
 */
public final class ClusterExtension implements BeforeAllCallback, ParameterResolver {

  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(ClusterExtension.class);

  @Override
  public void beforeAll(ExtensionContext context) {
    TwoNodeCluster.missing()
        .ifPresent(
            reason -> {
              String message = "Needs a cluster, but " + reason;
              if (Boolean.parseBoolean(System.getenv("CI"))) {
                fail(message);
              } else {
                abort(message);
              }
            });
  }

  @Override
  public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
    return parameter.getParameter().getType() == TwoNodeCluster.class;
  }

  @Override
  public TwoNodeCluster resolveParameter(ParameterContext parameter, ExtensionContext context) {
    // The root's store closes what it holds when the run ends.
    return context
        .getRoot()
        .getStore(NAMESPACE)
        .computeIfAbsent(
            TwoNodeCluster.class,
            type -> TwoNodeCluster.start("test-" + ProcessHandle.current().pid()),
            TwoNodeCluster.class);
  }
}
