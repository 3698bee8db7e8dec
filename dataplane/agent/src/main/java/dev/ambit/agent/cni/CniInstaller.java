package dev.ambit.agent.cni;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Puts the plugin onto the node: its binary, and its name at the end of the network configuration
 * that the container runtime loads, which is the first by name.
 */
public final class CniInstaller {
  private static final Logger LOG = LoggerFactory.getLogger(CniInstaller.class);

  private static final String LIST = ".conflist";
  private static final String REPLACED = ".ambit-replaced";

  private final Path source;
  private final Path binary;
  private final Path configurations;

  /**
   * Prepares to install.
   *
   * @param source the plugin in the agent's own image
   * @param binaries the node's directory of plugins, as mounted here
   * @param configurations the node's directory of network configurations, as mounted here
   */
  public CniInstaller(Path source, Path binaries, Path configurations) {
    this.source = source;
    this.binary = binaries.resolve(NetworkConfiguration.PLUGIN);
    this.configurations = configurations;
  }

  /**
   * Puts in what is not as it should be.
   *
   * @throws IOException also if the node has no network configuration yet
   */
  public void install() throws IOException {
    byte[] plugin = Files.readAllBytes(source);
    if (!Files.exists(binary) || !Arrays.equals(plugin, Files.readAllBytes(binary))) {
      AtomicFile.write(binary, plugin, PosixFilePermissions.fromString("rwxr-xr-x"));
      LOG.atInfo().addKeyValue("file", binary).log("installed the CNI plugin");
    }
    var loaded =
        files("*.{conf,conflist,json}").stream()
            .findFirst()
            .orElseThrow(
                () ->
                    new IOException(
                        "no CNI network configuration in "
                            + configurations
                            + " yet; install a network plugin, or set AmbientMesh"
                            + " spec.cni.confDir to the directory that the container runtime"
                            + " reads"));
    try {
      if (loaded.toString().endsWith(LIST)) {
        var changed = NetworkConfiguration.withPlugin(Files.readString(loaded));
        if (changed.isPresent()) {
          replace(loaded, changed.get());
          LOG.atInfo().addKeyValue("file", loaded).log("chained the CNI plugin");
        }
      } else {
        convert(loaded);
      }
    } catch (NoSuchFileException e) {
      throw e;
    } catch (IOException e) {
      throw new IOException("network configuration " + loaded + ": " + e.getMessage(), e);
    }
  }

  /** A file for a single plugin becomes a list; the original is kept beside it. */
  private void convert(Path single) throws IOException {
    var name = single.getFileName().toString();
    var list = single.resolveSibling(name.substring(0, name.lastIndexOf('.')) + LIST);
    var text = NetworkConfiguration.listOf(Files.readString(single));
    AtomicFile.write(
        list, text.getBytes(StandardCharsets.UTF_8), Files.getPosixFilePermissions(single));
    Files.move(single, single.resolveSibling(name + REPLACED), StandardCopyOption.REPLACE_EXISTING);
    LOG.atInfo()
        .addKeyValue("file", list)
        .addKeyValue("from", single)
        .log("made a list of the network configuration and chained the CNI plugin");
  }

  /** Takes everything out again. */
  public void uninstall() throws IOException {
    for (var kept : files("*" + REPLACED)) {
      var name = kept.getFileName().toString();
      var original = name.substring(0, name.length() - REPLACED.length());
      Files.deleteIfExists(
          kept.resolveSibling(original.substring(0, original.lastIndexOf('.')) + LIST));
      Files.move(kept, kept.resolveSibling(original), StandardCopyOption.REPLACE_EXISTING);
    }
    for (var list : files("*" + LIST)) {
      try {
        var changed = NetworkConfiguration.withoutPlugin(Files.readString(list));
        if (changed.isPresent()) {
          replace(list, changed.get());
          LOG.atInfo().addKeyValue("file", list).log("unchained the CNI plugin");
        }
      } catch (NoSuchFileException e) {
        LOG.atDebug().addKeyValue("file", list).log("the file is gone");
      }
    }
    if (Files.deleteIfExists(binary)) {
      LOG.atInfo().addKeyValue("file", binary).log("removed the CNI plugin");
    }
  }

  private static void replace(Path file, String text) throws IOException {
    AtomicFile.write(
        file, text.getBytes(StandardCharsets.UTF_8), Files.getPosixFilePermissions(file));
  }

  private List<Path> files(String pattern) throws IOException {
    var files = new ArrayList<Path>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(configurations, pattern)) {
      entries.forEach(files::add);
    }
    // As the container runtime sorts them: by their bytes.
    files.sort((a, b) -> a.getFileName().toString().compareTo(b.getFileName().toString()));
    return files;
  }
}
