package dev.ambit.k3s;

import com.github.dockerjava.api.exception.NotFoundException;
import org.testcontainers.DockerClientFactory;

/**
 * A small image with a shell and the usual tools, that {@code test-k3s/bin/busybox-image} has put
 * into the engine.
 */
final class BusyboxImage {

  private static final String REFERENCE = "localhost/ambit-busybox:1";

  private BusyboxImage() {}

  static String reference() {
    try {
      DockerClientFactory.instance().client().inspectImageCmd(REFERENCE).exec();
      return REFERENCE;
    } catch (NotFoundException e) {
      throw new IllegalStateException(
          "The engine has no image " + REFERENCE + "; run test-k3s/bin/busybox-image", e);
    }
  }
}
