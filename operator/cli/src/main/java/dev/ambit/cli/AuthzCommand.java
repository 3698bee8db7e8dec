package dev.ambit.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(
    name = "authz",
    description = "Answers questions about authorization policies.",
    synopsisSubcommandLabel = "COMMAND")
final class AuthzCommand implements Runnable {
  @Spec
  @SuppressWarnings("NullAway.Init") // set by the parser
  private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "say what to do: simulate");
  }
}
