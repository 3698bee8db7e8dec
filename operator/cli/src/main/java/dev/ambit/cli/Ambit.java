package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command line, {@code ambit} and {@code kubectl ambit}. */
@Command(
    name = "ambit",
    mixinStandardHelpOptions = false,
    synopsisSubcommandLabel = "COMMAND",
    description =
        "Takes namespaces into the mesh and out of it, and says where each stands and why.",
    footerHeading = "%nExit codes%n",
    footer = {
      "  0  all is as it should be      3  the API server does not answer",
      "  1  something is not            4  what was waited for did not happen in time",
      "  2  wrong usage                 5  refused: the message says why",
      "                                 70  a fault of the command line itself"
    })
public final class Ambit implements Runnable {
  @Spec private CommandSpec spec;

  @CommandLine.Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = CommandLine.ScopeType.INHERIT,
      description = "Says how a command is used.")
  private boolean help;

  // Set by the parser.
  @SuppressWarnings("NullAway.Init")
  private Ambit() {}

  /** Runs the command line and ends the process with its {@link ExitCode}. */
  public static void main(String... arguments) {
    System.exit(run(Environment.ofProcess(), arguments));
  }

  /** Runs the command line; the answer is its {@link ExitCode}. */
  static int run(Environment environment, String... arguments) {
    return commandLine(environment).execute(arguments);
  }

  static CommandLine commandLine(Environment environment) {
    CommandLine explain =
        new CommandLine(new ExplainCommand(environment))
            .addSubcommand(new TrafficCommand(environment));
    CommandLine authz =
        new CommandLine(new AuthzCommand()).addSubcommand(new SimulateCommand(environment));
    CommandLine root =
        new CommandLine(new Ambit())
            .addSubcommand(new CheckCommand(environment))
            .addSubcommand(new StatusCommand(environment))
            .addSubcommand(explain)
            .addSubcommand(new PlanCommand(environment))
            .addSubcommand(new EnrollCommand(environment))
            .addSubcommand(new LeaveCommand(environment))
            .addSubcommand(new CertsCommand(environment))
            .addSubcommand(new ConnectionsCommand(environment))
            .addSubcommand(new ProxyConfigCommand(environment))
            .addSubcommand(authz)
            .addSubcommand(new BugReportCommand(environment))
            .addSubcommand(new CompletionCommand(environment))
            .addSubcommand(new VersionCommand(environment));
    root.setCaseInsensitiveEnumValuesAllowed(true);
    root.setOut(new PrintWriter(environment.out(), true, StandardCharsets.UTF_8));
    root.setErr(new PrintWriter(environment.err(), true, StandardCharsets.UTF_8));
    root.setColorScheme(
        CommandLine.Help.defaultColorScheme(environment.colour() ? Ansi.ON : Ansi.OFF));
    root.setParameterExceptionHandler((problem, _) -> usage(environment, problem));
    root.setExecutionExceptionHandler((problem, _, _) -> failed(environment, problem));
    return root;
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "say what to do");
  }

  private static int usage(Environment environment, ParameterException problem) {
    CommandLine command = problem.getCommandLine();
    environment.err().println("ambit: " + problem.getMessage());
    if (command.getParent() == null) {
      command.usage(environment.err(), command.getColorScheme());
    } else {
      environment.err().println("see `" + command.getCommandSpec().qualifiedName() + " --help`");
    }
    return ExitCode.USAGE;
  }

  private static int failed(Environment environment, Exception problem) {
    Failure failure =
        switch (problem) {
          case Failure known -> known;
          case KubernetesClientTimeoutException timeout ->
              new Failure(ExitCode.TIMEOUT, Failures.cause(timeout));
          case KubernetesClientException refused -> Failures.of(refused);
          default -> {
            problem.printStackTrace(environment.err());
            yield new Failure(
                ExitCode.FAULT, "this is a fault of the command line: please report it");
          }
        };
    environment.err().println("ambit: " + failure.getMessage());
    return failure.exitCode();
  }
}
