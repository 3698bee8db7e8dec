package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.NetworkNamespace;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.net.UnknownHostException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Pods of a node as network namespaces on one bridge, each with an IPv4 and an IPv6 address. A
 * captured one has the redirection that the node agent sets up.
 */
final class TestNetwork implements AutoCloseable {
  /** See the reference on in-pod redirection: marks, chains and the route for return traffic. */
  private static final String REDIRECTION =
      """
      table inet ambit_test {
        chain mark_in {
          type filter hook prerouting priority mangle; policy accept;
          meta l4proto tcp meta mark & 0xfff == 0x539 ct mark set 0x111
        }
        chain mark_out {
          type route hook output priority mangle; policy accept;
          ct mark 0x111 meta mark set 0x111
        }
        chain redirect_in {
          type nat hook prerouting priority dstnat; policy accept;
          ip daddr 127.0.0.1 accept
          ip6 daddr ::1 accept
          meta mark & 0xfff == 0x539 accept
          meta l4proto tcp tcp dport != 15008 redirect to :15006
        }
        chain redirect_out {
          type nat hook output priority -100; policy accept;
          meta l4proto tcp meta mark & 0xfff == 0x111 accept
          oifname "lo" accept
          meta mark & 0xfff == 0x539 accept
          meta l4proto tcp redirect to :15001
        }
      }
      """;

  /** A pod's namespace. */
  static final class Pod {
    final String name;
    final InetAddress ipv4;
    final InetAddress ipv6;
    private final String namespace;
    final NetworkNamespace inside;

    private Pod(String name, String namespace, int number) throws IOException {
      this.name = name;
      this.namespace = namespace;
      this.ipv4 = InetAddress.getByName("10.77.0." + number);
      this.ipv6 = InetAddress.getByName("fd77::" + number);
      this.inside = NetworkNamespace.open("/var/run/netns/" + namespace);
    }

    /** Another handle of the namespace, for its new owner. */
    NetworkNamespace handle() {
      try {
        return NetworkNamespace.open("/var/run/netns/" + namespace);
      } catch (IOException e) {
        throw new IllegalStateException(e);
      }
    }

    /** Installs redirection as the node agent would. */
    Pod capture() {
      run(REDIRECTION, "ip", "netns", "exec", namespace, "nft", "-f", "-");
      for (String family : List.of("-4", "-6")) {
        in("ip", family, "rule", "add", "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100");
        in("ip", family, "route", "add", "local", "default", "dev", "lo", "table", "100");
      }
      return this;
    }

    String in(String... command) {
      List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
      all.addAll(List.of(command));
      return run("", all.toArray(String[]::new));
    }

    /** A socket connected from within the pod. */
    SocketChannel connect(InetAddress address, int port) throws IOException {
      SocketChannel channel = socket();
      try {
        channel.connect(new InetSocketAddress(address, port));
        return channel;
      } catch (IOException e) {
        channel.close();
        throw e;
      }
    }

    SocketChannel socket() {
      return call(SocketChannel::open);
    }

    /** A listening socket within the pod. */
    ServerSocketChannel listen(int port) throws IOException {
      ServerSocketChannel channel = call(ServerSocketChannel::open);
      channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      channel.bind(new InetSocketAddress("::", port), 512);
      return channel;
    }

    private <T> T call(java.util.concurrent.Callable<T> work) {
      try {
        return inside.call(work);
      } catch (Exception e) {
        throw new IllegalStateException(e);
      }
    }
  }

  private static int networks;

  private final String prefix = "ambit-dp-" + ProcessHandle.current().pid() + "-" + networks++;
  private final List<String> namespaces = new ArrayList<>();
  private final List<Pod> pods = new ArrayList<>();

  TestNetwork() {
    add(prefix + "-node");
    in(prefix + "-node", "ip", "link", "add", "br0", "type", "bridge");
    in(prefix + "-node", "ip", "link", "set", "br0", "up");
  }

  Pod pod(String name) throws UnknownHostException {
    int number = pods.size() + 1;
    String namespace = prefix + "-" + name;
    String node = prefix + "-node";
    add(namespace);
    in(node, "ip", "link", "add", "v" + number, "type", "veth", "peer", "eth0", "netns", namespace);
    in(node, "ip", "link", "set", "v" + number, "master", "br0", "up");
    in(namespace, "ip", "link", "set", "lo", "up");
    in(namespace, "ip", "link", "set", "eth0", "up");
    in(namespace, "ip", "addr", "add", "10.77.0." + number + "/24", "dev", "eth0");
    in(namespace, "ip", "addr", "add", "fd77::" + number + "/64", "dev", "eth0", "nodad");
    in(namespace, "ip", "route", "add", "default", "dev", "eth0");
    try {
      Pod pod = new Pod(name, namespace, number);
      pods.add(pod);
      return pod;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private void add(String namespace) {
    run("", "ip", "netns", "add", namespace);
    namespaces.add(namespace);
  }

  private static void in(String namespace, String... command) {
    List<String> all = new ArrayList<>(List.of("ip", "netns", "exec", namespace));
    all.addAll(List.of(command));
    run("", all.toArray(String[]::new));
  }

  private static String run(String input, String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      try (OutputStream in = process.getOutputStream()) {
        in.write(input.getBytes(StandardCharsets.UTF_8));
      }
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(10, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IllegalStateException(List.of(command) + ": " + output);
      }
      return output;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    pods.forEach(pod -> pod.inside.close());
    namespaces.forEach(namespace -> run("", "ip", "netns", "del", namespace));
  }
}
