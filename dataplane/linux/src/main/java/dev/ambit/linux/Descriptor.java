package dev.ambit.linux;

import java.nio.channels.ClosedChannelException;

/**
 * An open file descriptor that several threads use and one may close. Its number is given back to
 * the kernel only once no call uses it any more, so that a late call never meets another file.
 */
final class Descriptor {
  private final int fd;
  private int users;
  private boolean closed;

  Descriptor(int fd) {
    this.fd = fd;
  }

  /** The number, to be used until {@link #release()}. */
  synchronized int acquire() throws ClosedChannelException {
    if (closed) {
      throw new ClosedChannelException();
    }
    users++;
    return fd;
  }

  synchronized void release() {
    users--;
    if (closed && users == 0) {
      Libc.close(fd);
    }
  }

  synchronized boolean isClosed() {
    return closed;
  }

  /** Closes a socket: calls that block on it return, later ones fail. */
  synchronized void shutdownAndClose() {
    if (closed) {
      return;
    }
    closed = true;
    if (users == 0) {
      Libc.close(fd);
    } else {
      Libc.shutdown(fd);
    }
  }
}
