package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * Ambit's objects under Argo CD's application controller and Flux's measure of health, as {@code
 * test-k3s/bin/gitops} builds them.
 */
@ExtendWith(ClusterExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GitOpsIT {
  private static final long MINUTES = 15;

  private GoTests.Results results;

  @BeforeAll
  void run(TwoNodeCluster cluster) throws IOException, InterruptedException {
    var tests = new GoTests("gitops");
    tests.requireBuilt();
    results = tests.run(InstalledAmbit.on(cluster).cluster(), MINUTES, "-test.parallel=8");
  }

  @TestFactory
  Stream<DynamicTest> each_test_of_the_program() {
    return results.byName().entrySet().stream()
        .map(
            each ->
                dynamicTest(
                    each.getKey(),
                    () ->
                        assertThat(each.getValue())
                            .as("%s has the output, which ends: %s", results.log(), results.end())
                            .isEqualTo("PASS")));
  }

  @Test
  void all_of_them_were_run() {
    assertThat(results.byName().keySet())
        .as("%s, which ends: %s", results.log(), results.end())
        .contains(
            "TestHealthOfEachState",
            "TestApplicationsStaySyncedWhileEnrollmentsMove/client-side-diff",
            "TestApplicationsStaySyncedWhileEnrollmentsMove/server-side-diff",
            "TestApplicationsStaySyncedWhileEnrollmentsMove/server-side-diff-and-apply",
            "TestChildrenCarryNoMarksWhereLabelsTrack/label",
            "TestNamespacesThatArgoLabels/ServerSideDiff=true",
            "TestSelfHealTakesBackWhatOthersWrite",
            "TestTheExampleIsSyncedAsItIs",
            "TestWavesWaitForEnrollments");
  }
}
