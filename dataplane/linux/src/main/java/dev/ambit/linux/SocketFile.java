package dev.ambit.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * Where a listening socket is in the file system, and that it is the one that was bound: another
 * process may have put its own there meanwhile.
 */
public final class SocketFile {
  private final Path path;
  private final Object inode;
  private boolean deleted;

  private SocketFile(Path path, Object inode) {
    this.path = path;
    this.inode = inode;
  }

  /** What is at {@code path} now. */
  public static SocketFile at(Path path) throws IOException {
    return new SocketFile(path, inode(path));
  }

  /**
   * Deletes it where it is still there; once. For as long as the socket is open nothing else gets
   * its inode, so this comes before closing it.
   */
  public synchronized void delete() throws IOException {
    if (deleted) {
      return;
    }
    deleted = true;
    try {
      if (inode.equals(inode(path))) {
        Files.delete(path);
      }
    } catch (NoSuchFileException e) {
      // Somebody else has deleted it.
    }
  }

  private static Object inode(Path path) throws IOException {
    return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
  }
}
