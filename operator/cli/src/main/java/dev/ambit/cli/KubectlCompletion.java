package dev.ambit.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import picocli.AutoComplete;
import picocli.CommandLine.Model.CommandSpec;

/**
 * What kubectl asks of {@code kubectl_complete-ambit}: the words typed so far, of which the last
 * may be empty. The answer is a word a line, and at last what the shell may do besides, in numbers
 * of cobra's {@code ShellCompDirective}.
 */
final class KubectlCompletion {
  /** The first word by which the command line is asked to complete the others. */
  static final String ASKED = "__complete";

  /** The shell completes names of files. */
  private static final String FILES = ":0";

  private static final String NO_FILES = ":4";

  private static final List<String> TAKE_FILES = List.of("-f", "--file", "--kubeconfig");

  private KubectlCompletion() {}

  static List<String> of(CommandSpec root, List<String> typed) {
    List<String> words = typed.isEmpty() ? List.of("") : typed;
    String last = words.getLast();
    List<CharSequence> rest = new ArrayList<>();
    AutoComplete.complete(
        root, words.toArray(String[]::new), words.size() - 1, last.length(), 0, rest);
    // Options are offered once one is begun.
    Stream<String> completed =
        rest.stream()
            .map(each -> last + each)
            .filter(each -> last.startsWith("-") || !each.startsWith("-"))
            .distinct()
            .sorted();
    boolean files = words.size() > 1 && TAKE_FILES.contains(words.get(words.size() - 2));
    return Stream.concat(completed, Stream.of(files ? FILES : NO_FILES)).toList();
  }
}
