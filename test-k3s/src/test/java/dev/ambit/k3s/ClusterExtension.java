package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import io.fabric8.kubernetes.api.model.Namespace;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives tests the one cluster of this test run, which starts when the first test asks and ends with
 * the run. Where a machine cannot have one, tests are skipped with the reason, and fail with it
 * where the environment says {@code CI=true}. The namespaces of a class go after it, since their
 * load and their enrollments would be with the tests of others.
 */
public final class ClusterExtension
    implements BeforeAllCallback, AfterAllCallback, ParameterResolver {

  private static final Set<String> OF_THE_CLUSTER =
      Set.of("default", "kube-node-lease", "kube-public", "kube-system", InstalledAmbit.ROOT);

  private static final ExtensionContext.Namespace NAMESPACE =
      ExtensionContext.Namespace.create(ClusterExtension.class);

  @Override
  public void beforeAll(ExtensionContext context) {
    awaitPreparations();
    TwoNodeCluster.missing().ifPresent(reason -> require(false, "a cluster, but " + reason));
  }

  /** Waits for what {@code make test} builds beside the tests that need no cluster. */
  private static void awaitPreparations() {
    var preparing = Checkout.root().resolve(".build/preparing");
    await("what a cluster needs is built")
        .atMost(Duration.ofMinutes(40))
        .pollInterval(Duration.ofSeconds(1))
        .ignoreException(NoSuchFileException.class)
        .until(
            () ->
                !Files.exists(preparing)
                    || ProcessHandle.of(Long.parseLong(Files.readString(preparing).strip()))
                        .isEmpty());
  }

  /**
   * Skips the test where that is not so, and fails it where the environment says {@code CI=true}.
   */
  static void require(boolean condition, String what) {
    if (!condition) {
      String message = "Needs " + what;
      if (Boolean.parseBoolean(System.getenv("CI"))) {
        fail(message);
      } else {
        abort(message);
      }
    }
  }

  @Override
  public void afterAll(ExtensionContext context) {
    var cluster =
        context.getRoot().getStore(NAMESPACE).get(TwoNodeCluster.class, TwoNodeCluster.class);
    if (cluster != null) {
      ofTests(cluster).forEach(each -> cluster.client().resource(each).delete());
    }
  }

  /** Waits until no namespace is left that a test has made. */
  static void awaitOthersGone(TwoNodeCluster cluster) {
    await("the namespaces of other tests are gone")
        .atMost(Duration.ofMinutes(3))
        .pollInterval(Duration.ofSeconds(1))
        .untilAsserted(() -> assertThat(ofTests(cluster)).isEmpty());
  }

  private static List<Namespace> ofTests(TwoNodeCluster cluster) {
    return cluster.client().namespaces().list().getItems().stream()
        .filter(each -> !OF_THE_CLUSTER.contains(each.getMetadata().getName()))
        .toList();
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
