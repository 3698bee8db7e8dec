package dev.ambit.linux;

import java.util.concurrent.Callable;

/**
 * An open network namespace. Work that opens sockets is run inside it on the calling platform
 * thread; the sockets keep belonging to it afterwards.
 */
public final class NetworkNamespace implements AutoCloseable {
  private static final NetworkNamespace SELF = own();

  private final int fd;
  private final long device;
  private final long inode;
  private boolean closed;

  private NetworkNamespace(int fd) throws LinuxException {
    this.fd = fd;
    try {
      long[] identity = Libc.identity(fd);
      this.device = identity[0];
      this.inode = identity[1];
    } catch (LinuxException e) {
      Libc.close(fd);
      throw e;
    }
  }

  private static NetworkNamespace own() {
    try {
      return new NetworkNamespace(Libc.open("/proc/self/ns/net"));
    } catch (LinuxException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /** The namespace that this process started in. */
  public static NetworkNamespace self() {
    return SELF;
  }

  /**
   * Opens the namespace that {@code path} names, such as {@code /var/run/netns/x} or {@code
   * /proc/1/ns/net}.
   */
  public static NetworkNamespace open(String path) throws LinuxException {
    return new NetworkNamespace(Libc.open(path));
  }

  /**
   * Takes over a descriptor that was received; it is closed with this object, also where this call
   * fails.
   */
  public static NetworkNamespace adopt(int fd) throws LinuxException {
    return new NetworkNamespace(fd);
  }

  /** The descriptor, for handing to another process. It stays this object's. */
  public int fd() {
    return fd;
  }

  /** The namespace's inode number: together with the device, what tells two namespaces apart. */
  public long inode() {
    return inode;
  }

  /** Whether both are the same namespace, however they were opened. */
  public boolean isSame(NetworkNamespace other) {
    return inode == other.inode && device == other.device;
  }

  /**
   * Runs {@code work} with the calling thread inside this namespace, and brings it back. If the way
   * back fails the process ends, since the thread would go on in the wrong namespace.
   *
   * @throws IllegalStateException on a virtual thread, whose carrier must not be moved
   */
  public <T> T call(Callable<T> work) throws Exception {
    if (Thread.currentThread().isVirtual()) {
      throw new IllegalStateException("a virtual thread cannot enter a network namespace");
    }
    Libc.check("setns", Libc.setns(fd));
    try {
      return work.call();
    } finally {
      if (Libc.setns(SELF.fd) != 0) {
        System.err.println("cannot return to the own network namespace: ending");
        Runtime.getRuntime().halt(70);
      }
    }
  }

  @Override
  public synchronized void close() {
    if (!closed && this != SELF) {
      closed = true;
      Libc.close(fd);
    }
  }

  @Override
  public String toString() {
    return "net:[" + inode + "]";
  }
}
