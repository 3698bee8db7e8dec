package dev.ambit.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The reference for users has every field of our kinds, with its default. */
class ReferenceTest {
  private static final Path CHART = Path.of("..", "helm", "ambit", "crds");
  private static final Path REFERENCE = Path.of("..", "docs", "api.md");

  /** Fields whose inside is Kubernetes' own and documented there. */
  private static final List<String> FOREIGN = List.of("env", "resources", "conditions");

  private record Field(String path, @Nullable JsonNode byDefault) {}

  @ParameterizedTest
  @CsvSource({
    "ambit.dev_ambientmeshes.yaml, AmbientMesh",
    "ambit.dev_meshenrollments.yaml, MeshEnrollment",
    "ambit.dev_clustermeshenrollments.yaml, ClusterMeshEnrollment"
  })
  void everyFieldHasARowWithItsDefault(String file, String kind) throws IOException {
    var definition =
        Serialization.unmarshal(
            Files.readString(CHART.resolve(file)), CustomResourceDefinition.class);
    var fields = new ArrayList<Field>();
    var root = definition.getSpec().getVersions().getFirst().getSchema().getOpenAPIV3Schema();
    collect("", root, fields);
    assertThat(fields).hasSizeGreaterThan(10);

    String text = Files.readString(REFERENCE);
    assertThat(fields)
        .as("fields of %s without a row, or with another default, in %s", kind, REFERENCE)
        .allSatisfy(
            field ->
                assertThat(rows(text, kind + "." + parent(field.path())))
                    .anyMatch(row -> tells(row, field)));
  }

  private static void collect(String prefix, JSONSchemaProps schema, List<Field> into) {
    for (Map.Entry<String, JSONSchemaProps> property : schema.getProperties().entrySet()) {
      String path = prefix.isEmpty() ? property.getKey() : prefix + "." + property.getKey();
      JSONSchemaProps inside = property.getValue();
      boolean foreign = FOREIGN.contains(property.getKey());
      boolean list = "array".equals(inside.getType());
      if (foreign || list || inside.getProperties().isEmpty()) {
        into.add(new Field(path, inside.getDefault()));
      }
      if (!foreign) {
        collect(list ? path + "[]" : path, list ? inside.getItems().getSchema() : inside, into);
      }
    }
  }

  private static String parent(String path) {
    return path.substring(0, path.lastIndexOf('.'));
  }

  private static List<String> rows(String text, String section) {
    int begin = text.indexOf("\n### `" + section + "`\n");
    assertThat(begin).as("the section of %s in %s", section, REFERENCE).isNotNegative();
    int end = text.indexOf("\n##", begin + 1);
    return text.substring(begin, end < 0 ? text.length() : end)
        .lines()
        .filter(line -> line.startsWith("| `"))
        .toList();
  }

  private static boolean tells(String row, Field field) {
    String name = field.path().substring(field.path().lastIndexOf('.') + 1);
    if (!row.startsWith("| `" + name + "` |")) {
      return false;
    }
    JsonNode byDefault = field.byDefault();
    return byDefault == null
        || row.contains(
            "| `" + (byDefault.isTextual() ? byDefault.asText() : byDefault.toString()) + "` |");
  }
}
