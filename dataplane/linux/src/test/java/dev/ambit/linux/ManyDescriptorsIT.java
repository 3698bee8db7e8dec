package dev.ambit.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;

/** A process that has more descriptors than select() can wait for. */
class ManyDescriptorsIT {
  @Test
  void libnftablesStillWorks() throws Exception {
    var open = new ArrayList<FileChannel>();
    try (var namespace = new TestNamespace("many")) {
      namespace.call(() -> Nftables.listTable("none"));
      for (int i = 0; i < 1100; i++) {
        open.add(FileChannel.open(Path.of("/dev/null")));
      }
      for (int i = 0; i < 3; i++) {
        assertThat(namespace.call(() -> Nftables.listTable("none"))).isEmpty();
      }
    } finally {
      for (var each : open) {
        each.close();
      }
    }
  }
}
