package dev.ambit.ztunnel.dns;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResolverFileTest {
  @Test
  void readsTheServersThatAPodCanReach() {
    assertThat(
            ResolverFile.parse(
                List.of(
                    "# nameserver 192.0.2.9",
                    "search shop.svc.cluster.local svc.cluster.local",
                    "nameserver 127.0.0.53",
                    " nameserver\t10.96.0.10 ",
                    "nameserver fd00::10",
                    "nameserver dns.example.com",
                    "nameserver",
                    "options ndots:5")))
        .containsExactly(
            new InetSocketAddress("10.96.0.10", 53), new InetSocketAddress("fd00::10", 53));
  }

  @Test
  void withoutAFileThereAreNone(@TempDir Path folder) throws Exception {
    assertThat(new ResolverFile(folder.resolve("none")).servers()).isEmpty();
    var file = Files.writeString(folder.resolve("resolv.conf"), "nameserver 10.96.0.10\n");
    assertThat(new ResolverFile(file).servers()).hasSize(1);
  }
}
