package dev.ambit.linux;

import java.io.IOException;

/** A system call that failed, with its errno. */
public final class LinuxException extends IOException {
  private static final long serialVersionUID = 1L;

  private static final int EADDRINUSE = 98;

  private final int errno;

  LinuxException(String call, int errno) {
    super(call + ": " + Libc.errorText(errno) + " (errno " + errno + ")");
    this.errno = errno;
  }

  /** The error number that the call left behind, as in {@code errno.h}. */
  public int errno() {
    return errno;
  }

  /** Whether another socket has the address and port. */
  public boolean isAddressInUse() {
    return errno == EADDRINUSE;
  }
}
