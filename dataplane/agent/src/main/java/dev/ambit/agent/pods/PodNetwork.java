package dev.ambit.agent.pods;

import dev.ambit.linux.NetworkNamespace;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A pod's network namespace, used by several threads. Closing waits for those that use it, so that
 * none meets a descriptor number that the kernel has given to something else.
 */
public final class PodNetwork implements AutoCloseable {
  private final NetworkNamespace namespace;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock();
  private boolean closed;

  private PodNetwork(NetworkNamespace namespace) {
    this.namespace = namespace;
  }

  /**
   * Opens the namespace that a path names.
   *
   * @throws IOException also where that is the node's own namespace, which is never redirected
   */
  public static PodNetwork open(String path) throws IOException {
    var namespace = NetworkNamespace.open(path);
    if (namespace.isSame(NetworkNamespace.self())) {
      namespace.close();
      throw new IOException(path + " is the node's own network namespace");
    }
    return new PodNetwork(namespace);
  }

  /** Work with the descriptor of a namespace. */
  @FunctionalInterface
  public interface DescriptorUse {
    void accept(int fd) throws IOException;
  }

  /**
   * Runs work inside the namespace, on the calling platform thread.
   *
   * @throws ClosedChannelException if this has been closed
   */
  public <T> T call(Callable<T> work) throws IOException {
    lock.readLock().lock();
    try {
      if (closed) {
        throw new ClosedChannelException();
      }
      return namespace.call(work);
    } catch (IOException | RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IOException("in " + this + ": " + e.getMessage(), e);
    } finally {
      lock.readLock().unlock();
    }
  }

  /**
   * Lends the descriptor.
   *
   * @throws ClosedChannelException if this has been closed
   */
  public void withDescriptor(DescriptorUse use) throws IOException {
    lock.readLock().lock();
    try {
      if (closed) {
        throw new ClosedChannelException();
      }
      use.accept(namespace.fd());
    } finally {
      lock.readLock().unlock();
    }
  }

  /** Whether both are the same namespace, however they were opened. */
  public boolean isSame(PodNetwork other) {
    return namespace.isSame(other.namespace);
  }

  @Override
  public void close() {
    lock.writeLock().lock();
    try {
      closed = true;
      namespace.close();
    } finally {
      lock.writeLock().unlock();
    }
  }

  @Override
  public String toString() {
    return namespace.toString();
  }
}
