package dev.ambit.linux;

import java.io.IOException;

/** A system call that failed, with its errno. */
public final class LinuxException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  LinuxException(String call, int errno) {
    super(call + ": " + Libc.errorText(errno) + " (errno " + errno + ")");
    this.errno = errno;
  }

  /** The error number that the call left behind, as in {@code errno.h}. */
  public int errno() {
    return errno;
  }
}
