package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class CompletionCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @AfterEach
  void close() {
    ambit.close();
  }

  @Test
  void each_shell_gets_a_script_that_knows_all_commands() {
    for (String shell : new String[] {"bash", "zsh", "fish"}) {
      String script = ambit.plain("completion", shell).exits(ExitCode.OK).out();
      Ambit.commandLine(testEnvironment())
          .getSubcommands()
          .keySet()
          .forEach(command -> assertThat(script).as(shell).contains(command));
      assertThat(script).contains("workloads").contains("kubeconfig");
    }
    assertThat(ambit.plain("completion", "tcsh").exits(ExitCode.USAGE).err()).contains("tcsh");
  }

  @Test
  void kubectl_is_told_the_words_that_may_come_next() {
    assertThat(complete("")).contains("status", "enroll", "proxy-config").endsWith(":4");
    assertThat(complete("sta")).containsExactly("status", ":4");
    assertThat(complete("proxy-config", "")).contains("workloads", "listeners");
    assertThat(complete("proxy-config", "l")).contains("listeners").doesNotContain("workloads");
    assertThat(complete("explain", "")).contains("traffic");
    assertThat(complete("status", "--wa")).containsExactly("--watch", ":4");
    assertThat(complete("status", "-o", "")).contains("json", "yaml", "table");
    assertThat(complete("plan", "-f", "")).endsWith(":0");
  }

  private java.util.List<String> complete(String... words) {
    var arguments = new java.util.ArrayList<>(java.util.List.of(words));
    arguments.addFirst("__complete");
    return ambit.plain(arguments.toArray(String[]::new)).exits(ExitCode.OK).out().lines().toList();
  }

  private static Environment testEnvironment() {
    return Environment.ofProcess();
  }

  @Test
  void every_command_has_help() {
    Ambit.commandLine(testEnvironment())
        .getSubcommands()
        .keySet()
        .forEach(
            command ->
                assertThat(ambit.plain(command, "--help").exits(ExitCode.OK).out())
                    .startsWith("Usage: ambit " + command));
  }
}
