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
