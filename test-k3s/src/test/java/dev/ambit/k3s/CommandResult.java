package dev.ambit.k3s;

/**
 * What a command that ran on a node or in a pod left.
 *
 * @param exitCode zero for success
 * @param output its standard output
 * @param error its standard error
 */
public record CommandResult(int exitCode, String output, String error) {

  public boolean succeeded() {
    return exitCode == 0;
  }

  /** The standard output of a command that must succeed. */
  public String orThrow() {
    if (!succeeded()) {
      throw new AssertionError("The command ended with status " + exitCode + ": " + output + error);
    }
    return output;
  }
}
