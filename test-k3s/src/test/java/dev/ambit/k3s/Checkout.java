package dev.ambit.k3s;

import java.nio.file.Files;
import java.nio.file.Path;

/** Where the working copy is that these classes were built from. */
final class Checkout {

  private Checkout() {}

  static Path root() {
    Path start = Path.of("").toAbsolutePath();
    for (Path folder = start; folder != null; folder = folder.getParent()) {
      if (Files.isDirectory(folder.resolve(".mvn"))) {
        return folder;
      }
    }
    throw new IllegalStateException(
        "No checkout of Ambit at or above " + start + "; run this from inside one");
  }
}
