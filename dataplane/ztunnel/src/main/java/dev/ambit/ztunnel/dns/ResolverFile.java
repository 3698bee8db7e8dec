package dev.ambit.ztunnel.dns;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The servers that a {@code resolv.conf} names, but for those at its own loopback, which a pod does
 * not have. From any thread; the file is read again when it may have changed.
 */
final class ResolverFile {
  private static final Logger log = LoggerFactory.getLogger(ResolverFile.class);
  private static final Duration FRESH = Duration.ofSeconds(10);
  private static final int DNS_PORT = 53;

  private final Path file;
  private volatile Content content = new Content(List.of(), 0, false);

  private record Content(List<InetSocketAddress> servers, long readNanos, boolean read) {}

  ResolverFile(Path file) {
    this.file = file;
  }

  /** In the file's order; may be empty. */
  List<InetSocketAddress> servers() {
    Content known = content;
    if (!known.read() || System.nanoTime() - known.readNanos() > FRESH.toNanos()) {
      known = new Content(read(known.servers()), System.nanoTime(), true);
      content = known;
    }
    return known.servers();
  }

  private List<InetSocketAddress> read(List<InetSocketAddress> otherwise) {
    try {
      return parse(Files.readAllLines(file));
    } catch (IOException e) {
      log.atWarn()
          .addKeyValue("file", file)
          .addKeyValue("reason", e.toString())
          .log("cannot read which DNS servers there are");
      return otherwise;
    }
  }

  static List<InetSocketAddress> parse(List<String> lines) {
    List<InetSocketAddress> servers = new ArrayList<>();
    for (String line : lines) {
      String[] words = line.strip().split("\\s+", 3);
      if (words.length < 2 || !words[0].equals("nameserver")) {
        continue;
      }
      try {
        InetAddress address = InetAddress.ofLiteral(words[1]);
        if (!address.isLoopbackAddress() && !address.isAnyLocalAddress()) {
          servers.add(new InetSocketAddress(address, DNS_PORT));
        }
      } catch (IllegalArgumentException e) {
        log.atDebug().addKeyValue("nameserver", words[1]).log("not the address of a DNS server");
      }
    }
    return List.copyOf(servers);
  }
}
