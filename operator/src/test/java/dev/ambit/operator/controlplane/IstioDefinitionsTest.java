package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.BeanDescription;
import com.fasterxml.jackson.databind.JavaType;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.BeanPropertyDefinition;
import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.VirtualService;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The CRDs of Istio's kinds that the chart brings have each field that the typed models have: one
 * that a CRD lacks would be pruned, and so not even reported.
 */
class IstioDefinitionsTest {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Path CRDS = Path.of("../helm/ambit/crds");

  record Kind(String file, Class<?> type, List<String> versions) {}

  static List<Kind> kinds() {
    return List.of(
        new Kind(
            "networking.istio.io_virtualservices.yaml",
            VirtualService.class,
            List.of("v1", "v1beta1", "v1alpha3")),
        new Kind(
            "networking.istio.io_destinationrules.yaml",
            DestinationRule.class,
            List.of("v1", "v1beta1", "v1alpha3")),
        new Kind(
            "security.istio.io_requestauthentications.yaml",
            RequestAuthentication.class,
            List.of("v1", "v1beta1")),
        new Kind(
            "telemetry.istio.io_telemetries.yaml", Telemetry.class, List.of("v1", "v1alpha1")));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void everyFieldIsThere(Kind kind) throws IOException {
    CustomResourceDefinition definition =
        Serialization.unmarshal(
            Files.readString(CRDS.resolve(kind.file())), CustomResourceDefinition.class);
    assertThat(definition.getSpec().getVersions())
        .extracting(version -> version.getName())
        .isEqualTo(kind.versions());
    for (var version : definition.getSpec().getVersions()) {
      assertThat(version.getSubresources().getStatus()).isNotNull();
      JSONSchemaProps spec =
          Objects.requireNonNull(
              version.getSchema().getOpenAPIV3Schema().getProperties().get("spec"));
      JavaType type =
          property(JSON.constructType(kind.type()), "spec").orElseThrow().getPrimaryType();
      List<String> missing = new ArrayList<>();
      compare("spec", type, spec, missing, new HashSet<>());
      assertThat(missing).as(version.getName()).isEmpty();
    }
  }

  private static java.util.Optional<BeanPropertyDefinition> property(JavaType type, String name) {
    return properties(type).stream().filter(each -> each.getName().equals(name)).findFirst();
  }

  private static List<BeanPropertyDefinition> properties(JavaType type) {
    BeanDescription description = JSON.getSerializationConfig().introspect(type);
    return description.findProperties();
  }

  private static void compare(
      String path,
      JavaType type,
      @Nullable JSONSchemaProps schema,
      List<String> missing,
      Set<String> above) {
    if (schema == null) {
      missing.add(path);
      return;
    }
    if (type.isCollectionLikeType()) {
      compare(path + "[]", type.getContentType(), schema.getItems().getSchema(), missing, above);
    } else if (type.isMapLikeType()) {
      compare(
          path + "{}",
          type.getContentType(),
          schema.getAdditionalProperties().getSchema(),
          missing,
          above);
    } else if (type.getRawClass().getName().startsWith("io.fabric8.istio")
        && !type.isInterface()
        && !type.isEnumType()
        && above.add(type.getRawClass().getName())) {
      for (BeanPropertyDefinition property : properties(type)) {
        if (!property.getName().equals("additionalProperties")) {
          String name = property.getName();
          boolean flat = property.getPrimaryType().isInterface();
          if (!flat) {
            compare(
                path + "." + name,
                property.getPrimaryType(),
                schema.getProperties().get(name),
                missing,
                above);
          }
        }
      }
      above.remove(type.getRawClass().getName());
    }
  }
}
