package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ExplainCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  @Test
  void a_captured_pod_names_the_rule_that_decided() {
    ambit.run("explain", "cart").exits(ExitCode.OK).printed("explain-cart.txt");
  }

  @Test
  void a_pod_that_its_agent_has_not_captured_shows_what_the_agent_reported() {
    ambit.run("explain", "shop/late").exits(ExitCode.FINDINGS).printed("explain-late.txt");
  }

  @Test
  void a_pod_that_is_left_out_says_why() {
    assertThat(ambit.run("explain", "pod/host", "-n", "shop").exits(ExitCode.OK).out())
        .contains("The pod is left out: the pod uses its node's network")
        .containsPattern("host network +here +yes");
  }

  @Test
  void a_pod_that_does_not_exist_is_refused() {
    assertThat(ambit.run("explain", "shop/nobody").exits(ExitCode.REFUSED).err())
        .isEqualTo("ambit: there is no pod 'shop/nobody'\n");
    ambit.run("explain", "a/b/c").exits(ExitCode.USAGE);
  }
}
