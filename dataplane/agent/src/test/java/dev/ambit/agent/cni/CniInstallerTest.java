package dev.ambit.agent.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CniInstallerTest {
  private static final String LIST = "{\"name\":\"n\",\"plugins\":[{\"type\":\"bridge\"}]}";

  @TempDir private Path directory;
  private Path binaries;
  private Path configurations;
  private CniInstaller installer;

  @BeforeEach
  void create() throws Exception {
    binaries = Files.createDirectory(directory.resolve("bin"));
    configurations = Files.createDirectory(directory.resolve("conf"));
    var source = directory.resolve("ambit-cni");
    Files.writeString(source, "plugin");
    installer = new CniInstaller(source, binaries, configurations);
  }

  @Test
  void chainsInTheFirstConfigurationOnlyAndRepairsIt() throws Exception {
    var first = configurations.resolve("10-a.conflist");
    Files.writeString(first, LIST);
    Files.setPosixFilePermissions(first, PosixFilePermissions.fromString("rw-------"));
    Files.writeString(configurations.resolve("20-b.conflist"), LIST);
    installer.install();
    assertThat(Files.readString(first)).contains("ambit-cni");
    assertThat(Files.getPosixFilePermissions(first))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
    assertThat(Files.readString(configurations.resolve("20-b.conflist"))).isEqualTo(LIST);
    assertThat(binaries.resolve("ambit-cni")).hasContent("plugin").isExecutable();
    assertThat(names()).containsExactly("10-a.conflist", "20-b.conflist");

    Files.writeString(first, LIST);
    Files.writeString(binaries.resolve("ambit-cni"), "other");
    installer.install();
    assertThat(Files.readString(first)).contains("ambit-cni");
    assertThat(binaries.resolve("ambit-cni")).hasContent("plugin");

    installer.uninstall();
    assertThat(Files.readString(first).replaceAll("\\s", "")).isEqualTo(LIST);
    assertThat(binaries.resolve("ambit-cni")).doesNotExist();
    installer.uninstall();
  }

  @Test
  void aSinglePluginBecomesAListAndComesBack() throws Exception {
    var single = configurations.resolve("05-a.conf");
    Files.writeString(single, "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"type\":\"bridge\"}");
    installer.install();
    assertThat(names()).containsExactly("05-a.conf.ambit-replaced", "05-a.conflist");
    assertThat(Files.readString(configurations.resolve("05-a.conflist")).replaceAll("\\s", ""))
        .isEqualTo(
            "{\"cniVersion\":\"0.4.0\",\"name\":\"n\",\"plugins\":[{\"cniVersion\":\"0.4.0\","
                + "\"name\":\"n\",\"type\":\"bridge\"},{\"type\":\"ambit-cni\"}]}");
    installer.install();
    installer.uninstall();
    assertThat(names()).containsExactly("05-a.conf");
  }

  @Test
  void saysWhatIsMissingOrBroken() throws Exception {
    assertThatThrownBy(() -> installer.install())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("confDir");
    Files.writeString(configurations.resolve("10-a.conflist"), "{broken");
    assertThatThrownBy(() -> installer.install())
        .hasMessageContaining("10-a.conflist")
        .hasMessageContaining("not JSON");
    assertThat(configurations.resolve("10-a.conflist")).hasContent("{broken");
  }

  @Test
  void theEnrolledNamespacesAreAFile() throws Exception {
    var namespaces = new EnrolledNamespaces(directory.resolve("state"));
    var file = directory.resolve("state/cni-namespaces");
    namespaces.write(List.of("b", "a"));
    assertThat(file).hasContent("a\nb\n");
    namespaces.write(List.of());
    assertThat(file).exists().isEmptyFile();
    namespaces.delete();
    assertThat(file).doesNotExist();
    namespaces.write(List.of());
    assertThat(file).exists();
  }

  private List<String> names() throws IOException {
    try (var files = Files.list(configurations)) {
      return files.map(file -> file.getFileName().toString()).sorted().toList();
    }
  }
}
