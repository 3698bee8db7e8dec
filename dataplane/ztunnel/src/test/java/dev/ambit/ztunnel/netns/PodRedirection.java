package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** The rules inside a pod that lead its traffic to the ztunnel's sockets there. */
final class PodRedirection {
  private static final String RULES = resource("pod-redirection.nft");

  private PodRedirection() {}

  static void apply(Pod pod) {
    pod.host().nft(RULES);
    pod.host()
        .ip(
            "rule add fwmark 0x111/0xfff pref 32764 lookup 100",
            "route add local 0.0.0.0/0 dev lo table 100");
    pod.host()
        .ip6(
            "rule add fwmark 0x111/0xfff pref 32764 lookup 100",
            "route add local ::/0 dev lo table 100");
  }

  /** From now on nothing new is redirected; redirected connections go on. */
  static void stop(Pod pod) {
    pod.host()
        .nft(
            """
            flush chain inet ambit redirect_inbound
            flush chain inet ambit redirect_outbound
            """);
  }

  static void remove(Pod pod) {
    pod.host().nft("delete table inet ambit\n");
    pod.host().ip("rule del pref 32764", "route flush table 100");
    pod.host().ip6("rule del pref 32764", "route flush table 100");
  }

  private static String resource(String name) {
    try (var stream = PodRedirection.class.getResourceAsStream(name)) {
      return new String(
          Objects.requireNonNull(stream, name).readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
