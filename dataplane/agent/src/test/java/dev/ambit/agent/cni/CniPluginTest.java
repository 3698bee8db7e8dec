package dev.ambit.agent.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The plugin itself, compiled as for the image, with and without an agent. */
@Timeout(120)
class CniPluginTest {
  private static final Path PLUGIN = Path.of("target", "ambit-cni");
  private static final String RESULT =
      "{ \"ips\": [ {\"address\":\"10.42.0.5/24\"} ], \"x\": \"}\\\"{\" }";
  private static final String INPUT =
      "{\"cniVersion\":\"0.4.0\",\"a\":[{\"prevResult\":{}}],\"prevResult\": "
          + RESULT
          + " ,\"b\":1}";

  @TempDir private Path directory;
  private Path socket;
  private Path namespaces;

  @BeforeAll
  static void compile() throws Exception {
    boolean compiler =
        List.of("/usr/bin/gcc", "/usr/local/bin/gcc").stream()
            .anyMatch(path -> Files.isExecutable(Path.of(path)));
    if (!"true".equals(System.getenv("CI"))) {
      assumeTrue(compiler, "needs gcc to compile the CNI plugin");
    }
    var run =
        new ProcessBuilder(
                "gcc",
                "-std=c11",
                "-Os",
                "-static",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-o",
                PLUGIN.toString(),
                "../cni/ambit-cni.c")
            .redirectErrorStream(true)
            .start();
    var output = new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(run.waitFor()).as(output).isZero();
  }

  @BeforeEach
  void paths() {
    socket = directory.resolve("cni.sock");
    namespaces = directory.resolve("namespaces");
  }

  private record Outcome(int exit, String output) {}

  private Outcome run(String command, String arguments, String input) throws Exception {
    var builder = new ProcessBuilder(PLUGIN.toAbsolutePath().toString()).redirectErrorStream(true);
    var environment = builder.environment();
    environment.put("CNI_COMMAND", command);
    environment.put("CNI_CONTAINERID", "container");
    environment.put("CNI_NETNS", "/var/run/netns/x");
    environment.put("CNI_IFNAME", "eth0");
    environment.put("CNI_ARGS", arguments);
    environment.put("AMBIT_CNI_SOCKET", socket.toString());
    environment.put("AMBIT_CNI_NAMESPACES", namespaces.toString());
    var process = builder.start();
    try (var stdin = process.getOutputStream()) {
      stdin.write(input.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // It need not read what it does not use.
      assertThat(command).isNotEqualTo("ADD");
    }
    var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Outcome(process.exitValue(), output);
  }

  private Outcome add(String namespace) throws Exception {
    return run("ADD", "IgnoreUnknown=1;K8S_POD_NAMESPACE=" + namespace + ";K8S_POD_NAME=a", INPUT);
  }

  @Test
  void asksTheAgentAndPrintsItsAnswer() throws Exception {
    var asked = new CopyOnWriteArrayList<CniRequest>();
    try (var server =
        CniServer.start(
            socket,
            request -> {
              asked.add(request);
              return asked.size() == 1
                  ? new CniReply(true, "{\"ips\":[]}")
                  : NetworkConfiguration.error(request.configuration(), 11, "later");
            },
            new SimpleMeterRegistry())) {
      assertThat(server).isNotNull();
      assertThat(add("shop")).isEqualTo(new Outcome(0, "{\"ips\":[]}\n"));
      assertThat(add("shop"))
          .isEqualTo(new Outcome(1, "{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"later\"}\n"));
    }
    assertThat(asked.getFirst())
        .isEqualTo(
            new CniRequest(
                "ADD",
                "container",
                "/var/run/netns/x",
                "eth0",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=a",
                INPUT));
  }

  @Test
  void withoutAnAgentPodsStartExceptInEnrolledNamespaces() throws Exception {
    assertThat(add("shop")).as("never installed").isEqualTo(new Outcome(0, RESULT + "\n"));
    Files.writeString(namespaces, "bank\nshop\n");
    var held = add("shop");
    assertThat(held.exit()).isEqualTo(1);
    assertThat(held.output())
        .startsWith(
            "{\"cniVersion\":\"0.4.0\",\"code\":11,\"msg\":\"namespace shop is in the mesh");
    assertThat(add("bank").exit()).isEqualTo(1);
    for (var other : List.of("sho", "shops", "kube-system", "ambit-system")) {
      assertThat(add(other)).as(other).isEqualTo(new Outcome(0, RESULT + "\n"));
    }
    assertThat(run("ADD", "", INPUT).exit()).as("no pod").isZero();
    Files.delete(namespaces);
    Files.createDirectory(namespaces);
    assertThat(add("shop").output()).contains("\"code\":11", "cannot be read");
  }

  @Test
  void anAgentThatAnswersNonsenseIsNoAgent() throws Exception {
    Files.writeString(namespaces, "shop\n");
    var random = new Random(11);
    for (int round = 0; round < 40; round++) {
      byte[] nonsense = new byte[random.nextInt(64)];
      random.nextBytes(nonsense);
      if (nonsense.length > 5 && round % 2 == 0) {
        // A length that fits, so that what follows counts.
        ByteBuffer.wrap(nonsense).putInt(0, nonsense.length - 4).put(4, (byte) (round % 3));
        nonsense[5] = 'x';
      }
      try (var listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
        Files.deleteIfExists(socket);
        listener.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform()
            .daemon()
            .start(
                () -> {
                  try (var connection = listener.accept()) {
                    connection.read(ByteBuffer.allocate(65_536));
                    connection.write(ByteBuffer.wrap(nonsense));
                  } catch (IOException e) {
                    // The plugin may have gone.
                    Thread.yield();
                  }
                });
        var outcome = add("shop");
        assertThat(outcome.exit()).isEqualTo(1);
        assertThat(outcome.output()).contains("\"code\":11");
      }
    }
  }

  @Test
  void noInputMakesItPassWhatIsNoResultOrCrash() throws Exception {
    var random = new Random(13);
    var pieces =
        List.of(
            "{",
            "}",
            "[",
            "]",
            "\"",
            "\\",
            ":",
            ",",
            "prevResult",
            "\"prevResult\":",
            "{\"a\":1}",
            " ");
    for (int round = 0; round < 60; round++) {
      var input = new StringBuilder("{");
      for (int i = random.nextInt(30); i > 0; i--) {
        input.append(pieces.get(random.nextInt(pieces.size())));
      }
      var outcome = run("ADD", "", input.toString());
      assertThat(outcome.exit()).as(input.toString()).isBetween(0, 1);
      assertThat(outcome.output()).as(input.toString()).startsWith("{");
    }
    assertThat(run("ADD", "", "[".repeat(5000)).exit()).isEqualTo(1);
    assertThat(run("ADD", "", "").output()).contains("\"code\":7");
  }

  @Test
  void theOtherCommandsSucceedWithoutAnAgent() throws Exception {
    for (var command : List.of("DEL", "CHECK", "GC", "STATUS")) {
      assertThat(run(command, "", INPUT)).as(command).isEqualTo(new Outcome(0, ""));
    }
    assertThat(run("VERSION", "", "{\"cniVersion\":\"1.1.0\"}").output())
        .contains("\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]");
    assertThat(run("EXPLODE", "", INPUT).output()).contains("\"code\":4", "EXPLODE");
  }
}
