package dev.ambit.cli;

/** What the command line ends with. Scripts rely on these numbers: none changes its meaning. */
public final class ExitCode {
  /** What was asked for was done, and all that was looked at is as it should be. */
  public static final int OK = 0;

  /** The command worked, and found something that is not as it should be. */
  public static final int FINDINGS = 1;

  /** The command line cannot be understood. */
  public static final int USAGE = 2;

  /** The API server does not answer. */
  public static final int UNREACHABLE = 3;

  /** What was waited for did not happen in time. */
  public static final int TIMEOUT = 4;

  /** The API server, or a part of the mesh, refused or failed what was asked. */
  public static final int REFUSED = 5;

  /** A fault of the command line itself. */
  public static final int FAULT = 70;

  private ExitCode() {}
}
