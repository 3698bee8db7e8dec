package dev.ambit.cli;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Parameters;

@Command(
    name = "completion",
    description = "Writes a script that completes commands and options in a shell.",
    footer = {
      "%nbash   source <(ambit completion bash)",
      "zsh    source <(ambit completion zsh)",
      "fish   ambit completion fish | source"
    })
final class CompletionCommand implements Callable<Integer> {
  /** The shells that there is a script for. */
  enum Shell {
    BASH,
    ZSH,
    FISH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private final Environment environment;

  @Parameters(index = "0", paramLabel = "SHELL", description = "${COMPLETION-CANDIDATES}.")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private Shell shell;

  CompletionCommand(Environment environment) {
    this.environment = environment;
  }

  @Override
  public Integer call() {
    CommandLine root = Ambit.commandLine(environment);
    environment
        .out()
        .print(
            switch (shell) {
              // It makes itself at home in zsh too.
              case BASH, ZSH -> AutoComplete.bash("ambit", root);
              case FISH -> fish(root);
            });
    environment.out().flush();
    return ExitCode.OK;
  }

  private static String fish(CommandLine root) {
    StringBuilder script = new StringBuilder("complete -c ambit -f\n");
    String names = String.join(" ", root.getSubcommands().keySet());
    complete(script, root, "not __fish_seen_subcommand_from " + names);
    for (Map.Entry<String, CommandLine> each : root.getSubcommands().entrySet()) {
      CommandLine command = each.getValue();
      String seen = "__fish_seen_subcommand_from " + each.getKey();
      if (!command.getSubcommands().isEmpty()) {
        complete(
            script,
            command,
            seen
                + "; and not __fish_seen_subcommand_from "
                + String.join(" ", command.getSubcommands().keySet()));
        for (Map.Entry<String, CommandLine> inner : command.getSubcommands().entrySet()) {
          options(
              script,
              inner.getValue().getCommandSpec(),
              seen + "; and __fish_seen_subcommand_from " + inner.getKey());
        }
      }
      options(script, command.getCommandSpec(), seen);
    }
    return script.toString();
  }

  private static void complete(StringBuilder script, CommandLine command, String condition) {
    command
        .getSubcommands()
        .forEach(
            (name, each) ->
                script
                    .append("complete -c ambit -n ")
                    .append(quoted(condition))
                    .append(" -a ")
                    .append(name)
                    .append(" -d ")
                    .append(quoted(description(each.getCommandSpec().usageMessage().description())))
                    .append('\n'));
  }

  private static void options(StringBuilder script, CommandSpec command, String condition) {
    for (PositionalParamSpec each : command.positionalParameters()) {
      if (each.completionCandidates() != null) {
        script
            .append("complete -c ambit -n ")
            .append(quoted(condition))
            .append(" -a ")
            .append(quoted(String.join(" ", each.completionCandidates())))
            .append('\n');
      }
    }
    for (OptionSpec option : command.options()) {
      script.append("complete -c ambit -n ").append(quoted(condition));
      for (String name : option.names()) {
        script.append(name.startsWith("--") ? " -l " : " -s ").append(name.replaceFirst("^-+", ""));
      }
      if (option.arity().max() > 0) {
        script.append(" -r");
        if (option.completionCandidates() != null) {
          script.append(" -a ").append(quoted(String.join(" ", option.completionCandidates())));
        } else if (option.paramLabel().equals("FILE")) {
          script.append(" -F");
        }
      }
      script.append(" -d ").append(quoted(description(option.description()))).append('\n');
    }
  }

  private static String description(String[] lines) {
    String text = String.join(" ", Arrays.asList(lines)).replace("$$", "$");
    int end = text.indexOf(". ");
    return (end < 0 ? text : text.substring(0, end)).replaceAll("\\$\\{[^}]*\\}", "…");
  }

  private static String quoted(String text) {
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'";
  }
}
