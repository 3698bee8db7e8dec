package dev.ambit.k3s;

import java.io.IOException;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;

/** What the guide to layer 7 shows, done as it stands there. */
@ExtendWith(ClusterExtension.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class GuideIT {
  private InstalledAmbit ambit;
  private Guide guide;

  @BeforeAll
  void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    guide = new Guide(ambit, "docs/l7.md");
  }

  @AfterAll
  void remove() throws IOException {
    ambit.client().namespaces().withName("shop").withGracePeriod(0).delete();
    guide.close();
  }

  @TestFactory
  Stream<DynamicTest> each_section() throws IOException {
    return guide.sections();
  }
}
