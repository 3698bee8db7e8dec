package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.TreeMap;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class BugReportCommandTest {
  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.put(CommandLineFixture.resource("installed.yaml"));
    ambit.server.put(
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: ambit-ztunnel-a, namespace: ambit-system, labels: {app.kubernetes.io/name: ambit-ztunnel, app.kubernetes.io/part-of: ambit}}
        spec:
          nodeName: node-1
          containers:
          - {name: ztunnel, env: [{name: SPECIAL, value: hunter2}]}
        status: {containerStatuses: [{name: ztunnel, restartCount: 1}]}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: ambit-ca, namespace: ambit-system}
        data: {ca-key.pem: aHVudGVyMg==}
        """);
    ambit.server.text(
        "/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-a/log",
        "connection complete\nAuthorization: Bearer hunter2hunter2\n");
    ambit.adminAnswers.put(
        "ambit-ztunnel-a/config_dump", CommandLineFixture.resource("ztunnel-a.json"));
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  private TreeMap<String, String> read(Path zip) throws Exception {
    TreeMap<String, String> files = new TreeMap<>();
    try (ZipFile file = new ZipFile(zip.toFile())) {
      for (var entry : file.stream().toList()) {
        files.put(
            entry.getName(),
            new String(file.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8));
      }
    }
    return files;
  }

  @Test
  void the_file_has_what_helps_and_no_secrets() throws Exception {
    var result = ambit.run("bug-report").exits(ExitCode.OK);
    Path zip = ambit.folder.resolve("ambit-bug-report-20261129-120000.zip");
    assertThat(result.out()).contains(zip.toString());
    var files = read(zip);
    assertThat(files.keySet())
        .contains(
            "versions.json",
            "objects/meshenrollments.json",
            "objects/nodes.json",
            "objects/events-of-ambit.json",
            "ambit-system/pods.json",
            "ambit-system/daemonsets.json",
            "ambit-system/logs/ambit-ztunnel-a-ztunnel.log",
            "ambit-system/logs/ambit-ztunnel-a-ztunnel-previous.log",
            "ambit-system/dumps/ambit-ztunnel-a.json");
    assertThat(String.join("\n", files.values()))
        .doesNotContain("hunter2")
        .doesNotContain("aHVudGVyMg")
        .contains("SPECIAL")
        .contains("ZtunnelUnavailable")
        .doesNotContain("Somebody else's event")
        .contains("connection complete");
  }

  @Test
  void what_cannot_be_read_is_in_the_file_too() throws Exception {
    ambit.server.refuse("/api/v1/nodes", 403);
    ambit.adminAnswers.clear();
    ambit.run("bug-report", "-f", "report.zip").exits(ExitCode.FINDINGS);
    assertThat(read(ambit.folder.resolve("report.zip")).get("errors.txt"))
        .contains("objects/nodes.json")
        .contains("ambit-ztunnel-a.json: connection refused");
  }

  @Test
  void a_file_that_cannot_be_written_is_said() {
    assertThat(ambit.run("bug-report", "-f", "no/such/folder.zip").exits(ExitCode.REFUSED).err())
        .contains("cannot be written");
  }
}
