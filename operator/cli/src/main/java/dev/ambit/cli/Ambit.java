package dev.ambit.cli;

import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
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
  private static final List<String> COMMANDS =
      List.of(
          "check",
          "status",
          "explain",
          "plan",
          "enroll",
          "leave",
          "certs",
          "connections",
          "proxy-config",
          "authz",
          "bug-report",
          "completion",
          "version");

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
    CommandLine commandLine = commandLine(environment, arguments);
    if (arguments.length > 0 && arguments[0].equals(KubectlCompletion.ASKED)) {
      KubectlCompletion.of(
              commandLine.getCommandSpec(), Arrays.asList(arguments).subList(1, arguments.length))
          .forEach(environment.out()::println);
      return ExitCode.OK;
    }
    return commandLine.execute(arguments);
  }

  /** The whole command line. */
  static CommandLine commandLine(Environment environment) {
    return commandLine(environment, COMMANDS);
  }

  /**
   * The command line as far as its arguments need it: to make a command known takes as long as to
   * ask the API server something.
   */
  private static CommandLine commandLine(Environment environment, String[] arguments) {
    boolean one = arguments.length > 0 && COMMANDS.contains(arguments[0]);
    return commandLine(environment, one ? List.of(arguments[0]) : COMMANDS);
  }

  private static CommandLine command(String name, Environment environment) {
    return switch (name) {
      case "check" -> new CommandLine(new CheckCommand(environment));
      case "status" -> new CommandLine(new StatusCommand(environment));
      case "explain" ->
          new CommandLine(new ExplainCommand(environment))
              .addSubcommand(new TrafficCommand(environment));
      case "plan" -> new CommandLine(new PlanCommand(environment));
      case "enroll" -> new CommandLine(new EnrollCommand(environment));
      case "leave" -> new CommandLine(new LeaveCommand(environment));
      case "certs" -> new CommandLine(new CertsCommand(environment));
      case "connections" -> new CommandLine(new ConnectionsCommand(environment));
      case "proxy-config" -> new CommandLine(new ProxyConfigCommand(environment));
      case "authz" ->
          new CommandLine(new AuthzCommand()).addSubcommand(new SimulateCommand(environment));
      case "bug-report" -> new CommandLine(new BugReportCommand(environment));
      case "completion" -> new CommandLine(new CompletionCommand(environment));
      case "version" -> new CommandLine(new VersionCommand(environment));
      default -> throw new IllegalArgumentException(name);
    };
  }

  private static CommandLine commandLine(Environment environment, List<String> commands) {
    CommandLine root = new CommandLine(new Ambit());
    commands.forEach(name -> root.addSubcommand(name, command(name, environment)));
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
