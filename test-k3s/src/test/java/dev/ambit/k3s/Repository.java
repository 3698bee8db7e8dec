package dev.ambit.k3s;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** Where things are in the checkout that the tests run from. */
final class Repository {
  private Repository() {}

  /** The folder that holds the chart. */
  static Path root() {
    for (var at = Path.of("").toAbsolutePath(); at != null; at = at.getParent()) {
      if (Files.isDirectory(at.resolve("helm/ambit"))) {
        return at;
      }
    }
    throw new AssertionError("not inside a checkout: no folder above holds helm/ambit");
  }

  /** The helm that {@code make} brought, or the one on the path. */
  static Path helm() {
    var own = root().resolve(".build/bin/helm");
    if (Files.isExecutable(own)) {
      return own;
    }
    return Arrays.stream(System.getenv("PATH").split(":"))
        .map(folder -> Path.of(folder, "helm"))
        .filter(Files::isExecutable)
        .findFirst()
        .orElseThrow(() -> new AssertionError("no helm: `make helm` brings one"));
  }
}
