package dev.ambit.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.fabric8.crd.generator.annotation.AdditionalPrinterColumn;
import io.fabric8.crdv2.generator.CRDGenerator;
import io.fabric8.crdv2.generator.CRDPostProcessor;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The chart's CRDs and the reference are what the types say. Rewrite them with
 * -Dambit.crds.update=true.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class CustomResourceDefinitionTest {
  private static final Path CHART = Path.of("..", "helm", "ambit", "crds");
  private static final Path REFERENCE = Path.of("..", "docs", "api.md");
  private static final String UPDATE =
      "run `mvn -pl crds test -Dambit.test.args=-Dambit.crds.update=true` and commit the result";

  @Order(1)
  @ParameterizedTest
  @ValueSource(classes = {AmbientMesh.class, MeshEnrollment.class, ClusterMeshEnrollment.class})
  void theChartHasTheCurrentDefinition(Class<? extends HasMetadata> type, @TempDir Path directory)
      throws IOException {
    new CRDGenerator()
        .customResourceClasses(List.of(type))
        .forCRDVersions("v1")
        .withMinQuotes(true)
        .withPostProcessor(new BeyondAnnotations(type))
        .inOutputDir(directory.toFile())
        .generate();
    String name = HasMetadata.getFullResourceName(type);
    String generated = Files.readString(directory.resolve(name + "-v1.yml"));
    Path committed = CHART.resolve("ambit.dev_" + name.substring(0, name.indexOf('.')) + ".yaml");
    if (Boolean.getBoolean("ambit.crds.update")) {
      Files.createDirectories(CHART);
      Files.writeString(committed, generated);
    }
    assertThat(committed).as(UPDATE).exists().content().isEqualTo(generated);
  }

  @Order(2)
  @Test
  void theReferenceIsOfTheCurrentDefinitions() throws IOException {
    List<CustomResourceDefinition> kinds;
    try (var files = Files.list(CHART)) {
      kinds =
          files
              .filter(file -> file.getFileName().toString().startsWith("ambit.dev_"))
              .sorted()
              .map(file -> Serialization.unmarshal(read(file), CustomResourceDefinition.class))
              .toList();
    }
    assertThat(kinds).isNotEmpty();
    String generated = ApiReference.of(kinds);
    if (Boolean.getBoolean("ambit.crds.update")) {
      Files.writeString(REFERENCE, generated);
    }
    assertThat(REFERENCE).as(UPDATE).exists().content().isEqualTo(generated);
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** So that kstatus does not take an object for finished that no operator has looked at. */
  private static final JsonNode NOT_LOOKED_AT =
      JsonNodeFactory.instance.objectNode().put("observedGeneration", -1);

  /** What the generator's annotations cannot say. */
  private record BeyondAnnotations(Class<?> type) implements CRDPostProcessor {
    @Override
    public HasMetadata process(HasMetadata definition, String version) {
      CustomResourceDefinition crd = (CustomResourceDefinition) definition;
      CustomResourceDefinitionVersion only = crd.getSpec().getVersions().getFirst();
      JSONSchemaProps root = only.getSchema().getOpenAPIV3Schema();
      conditionsAsMap(property(property(root, "status"), "conditions"));
      property(root, "spec").setDefault(JsonNodeFactory.instance.objectNode());
      if (type == ClusterMeshEnrollment.class) {
        // Its fields' own defaults follow.
        property(property(root, "spec"), "template")
            .setDefault(JsonNodeFactory.instance.objectNode());
        // Applied as a whole: where the last of its keys is taken away, it is empty and not null.
        property(property(root, "status"), "phases").setXKubernetesMapType("atomic");
      }
      property(root, "status").setDefault(NOT_LOOKED_AT);
      rulesOnce(root);
      columnsInWrittenOrder(only);
      return crd;
    }

    /** So that each writer owns the conditions that it applies, and not the whole list. */
    private static void conditionsAsMap(JSONSchemaProps conditions) {
      conditions.setXKubernetesListType("map");
      conditions.setXKubernetesListMapKeys(List.of("type"));
      conditions.getItems().getSchema().setRequired(List.of("type", "status"));
    }

    /** A rule on a record's component is found twice: on its field and on its accessor. */
    private static void rulesOnce(JSONSchemaProps schema) {
      if (schema.getXKubernetesValidations() != null) {
        schema.setXKubernetesValidations(
            schema.getXKubernetesValidations().stream().distinct().toList());
      }
      if (schema.getProperties() != null) {
        schema.getProperties().values().forEach(BeyondAnnotations::rulesOnce);
      }
      if (schema.getItems() != null && schema.getItems().getSchema() != null) {
        rulesOnce(schema.getItems().getSchema());
      }
    }

    /** The generator sorts columns by their path. */
    private void columnsInWrittenOrder(CustomResourceDefinitionVersion version) {
      List<String> written =
          Arrays.stream(type.getAnnotationsByType(AdditionalPrinterColumn.class))
              .map(AdditionalPrinterColumn::name)
              .toList();
      List<CustomResourceColumnDefinition> columns =
          new ArrayList<>(version.getAdditionalPrinterColumns());
      columns.sort(Comparator.comparingInt(column -> written.indexOf(column.getName())));
      version.setAdditionalPrinterColumns(columns);
    }

    private static JSONSchemaProps property(JSONSchemaProps of, String name) {
      return Objects.requireNonNull(of.getProperties().get(name), name);
    }
  }
}
