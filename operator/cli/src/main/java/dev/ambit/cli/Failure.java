package dev.ambit.cli;

/** Ends a command with one line of what is wrong and what to do, and an exit code. */
final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final int exitCode;

  Failure(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  int exitCode() {
    return exitCode;
  }

  /** What was asked of the command contradicts what is there, or is not there. */
  static Failure refused(String message) {
    return new Failure(ExitCode.REFUSED, message);
  }

  static Failure usage(String message) {
    return new Failure(ExitCode.USAGE, message);
  }
}
