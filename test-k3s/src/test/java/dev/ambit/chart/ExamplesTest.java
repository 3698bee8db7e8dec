package dev.ambit.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.AmbientMesh;
import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.api.MeshEnrollment;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The examples say what the API understands. */
class ExamplesTest {
  private static final Path EXAMPLES = Path.of("..", "examples");
  private static final Path CRDS = Path.of("..", "helm", "ambit", "crds");

  static List<Path> examples() throws IOException {
    try (Stream<Path> files = Files.list(EXAMPLES)) {
      return files.filter(file -> file.toString().endsWith(".yaml")).sorted().toList();
    }
  }

  private static Map<String, CustomResourceDefinition> definitions() throws IOException {
    try (Stream<Path> files = Files.list(CRDS)) {
      return files
          .map(file -> Serialization.unmarshal(read(file), CustomResourceDefinition.class))
          .collect(
              Collectors.toMap(
                  definition -> definition.getSpec().getNames().getKind(),
                  definition -> definition));
    }
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Test
  void thereAreExamples() throws IOException {
    assertThat(examples()).isNotEmpty();
  }

  @ParameterizedTest
  @MethodSource("examples")
  void everyFieldIsOneTheApiKnows(Path example) throws IOException {
    Map<String, CustomResourceDefinition> definitions = definitions();
    List<HasMetadata> objects = Helm.parse(read(example));

    assertThat(objects).isNotEmpty();
    for (HasMetadata object : objects) {
      CustomResourceDefinition definition = definitions.get(object.getKind());
      if (definition != null) {
        Map<?, ?> content = Serialization.unmarshal(Serialization.asYaml(object), Map.class);
        JSONSchemaProps schema =
            definition.getSpec().getVersions().stream()
                .filter(v -> object.getApiVersion().endsWith("/" + v.getName()))
                .findFirst()
                .orElseThrow()
                .getSchema()
                .getOpenAPIV3Schema();
        check(
            object.getKind() + ".spec",
            Objects.requireNonNull(schema.getProperties().get("spec")),
            Objects.requireNonNull(content.get("spec")));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("examples")
  void ambitsOwnKindsAreReadInFull(Path example) {
    ObjectMapper strict =
        new ObjectMapper().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
    Map<String, Class<?>> types =
        Map.of(
            "AmbientMesh", AmbientMesh.class,
            "MeshEnrollment", MeshEnrollment.class,
            "ClusterMeshEnrollment", ClusterMeshEnrollment.class);

    for (HasMetadata object : Helm.parse(read(example))) {
      Class<?> type = types.get(object.getKind());
      if (type != null) {
        assertThatCode(() -> strict.readValue(Serialization.asJson(object), type))
            .as("%s in %s", object.getKind(), example)
            .doesNotThrowAnyException();
      }
    }
  }

  /** Fields and enumerated values, as the API server would check them. */
  private static void check(String path, JSONSchemaProps schema, Object value) {
    if (!schema.getEnum().isEmpty()) {
      assertThat(schema.getEnum())
          .as(path)
          .anySatisfy(allowed -> assertThat(allowed.asText()).isEqualTo(value.toString()));
    }
    if (value instanceof Map<?, ?> fields) {
      for (Map.Entry<?, ?> field : fields.entrySet()) {
        String name = String.valueOf(field.getKey());
        JSONSchemaProps child = schema.getProperties().get(name);
        if (child == null && schema.getAdditionalProperties() != null) {
          child = schema.getAdditionalProperties().getSchema();
        }
        assertThat(child).as("%s.%s is not in the CRD", path, name).isNotNull();
        check(
            path + "." + name,
            Objects.requireNonNull(child),
            Objects.requireNonNull(field.getValue()));
      }
    }
    if (value instanceof List<?> items) {
      for (Object item : items) {
        check(path + "[]", schema.getItems().getSchema(), item);
      }
    }
  }
}
