package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.output.Json;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/** Objects in YAML files, one or more in each. */
final class YamlFiles {
  private YamlFiles() {}

  /** The documents of a file, or of all {@code *.yaml} and {@code *.yml} below a folder. */
  static List<JsonNode> read(Path path, KubernetesSerialization serialization) {
    List<JsonNode> documents = new ArrayList<>();
    try {
      if (Files.isDirectory(path)) {
        try (Stream<Path> below = Files.walk(path)) {
          for (Path file :
              below.filter(each -> each.toString().matches(".*\\.ya?ml")).sorted().toList()) {
            documents.addAll(documents(file, serialization));
          }
        }
      } else {
        documents.addAll(documents(path, serialization));
      }
    } catch (IOException e) {
      throw Failure.usage(path + " cannot be read: " + Failures.cause(e));
    }
    return documents;
  }

  private static List<JsonNode> documents(Path file, KubernetesSerialization serialization)
      throws IOException {
    List<JsonNode> documents = new ArrayList<>();
    for (String document : Files.readString(file).split("(?m)^---.*$")) {
      if (document.lines().allMatch(line -> line.isBlank() || line.startsWith("#"))) {
        continue;
      }
      try {
        JsonNode object = Json.tree(serialization.unmarshal(document, Map.class));
        documents.add(object);
        // `kubectl get -o yaml` writes lists.
        object.path("items").forEach(documents::add);
      } catch (IllegalArgumentException | YamlEngineException | KubernetesClientException e) {
        throw Failure.usage(file + " cannot be understood: " + Failures.cause(e));
      }
    }
    return documents;
  }
}
