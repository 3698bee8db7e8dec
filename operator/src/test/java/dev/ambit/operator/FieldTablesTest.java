package dev.ambit.operator;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonProperty;
import io.fabric8.istio.api.api.networking.v1alpha3.DestinationRule;
import io.fabric8.istio.api.api.networking.v1alpha3.ServiceEntry;
import io.fabric8.istio.api.api.networking.v1alpha3.TrafficPolicy;
import io.fabric8.istio.api.api.networking.v1alpha3.VirtualService;
import io.fabric8.istio.api.api.security.v1beta1.AuthorizationPolicy;
import io.fabric8.istio.api.api.security.v1beta1.RequestAuthentication;
import io.fabric8.istio.api.api.telemetry.v1alpha1.Telemetry;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GRPCRouteSpec;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClassSpec;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayInfrastructure;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewaySpec;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.HTTPRouteSpec;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The page of fields names each field of each kind, and of the lists in it. */
class FieldTablesTest {
  private static final Path PAGE = Path.of("../docs/l7-fields.md");

  static Stream<Arguments> kinds() {
    return Stream.of(
        Arguments.of("HTTPRoute", List.of(HTTPRouteSpec.class)),
        Arguments.of("VirtualService", List.of(VirtualService.class)),
        Arguments.of("DestinationRule", List.of(DestinationRule.class, TrafficPolicy.class)),
        Arguments.of("AuthorizationPolicy", List.of(AuthorizationPolicy.class)),
        Arguments.of("RequestAuthentication", List.of(RequestAuthentication.class)),
        Arguments.of("Telemetry", List.of(Telemetry.class)),
        Arguments.of("Gateway", List.of(GatewaySpec.class, GatewayInfrastructure.class)),
        Arguments.of("GatewayClass", List.of(GatewayClassSpec.class)),
        Arguments.of("ServiceEntry", List.of(ServiceEntry.class)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("kinds")
  void eachFieldIsNamed(String kind, List<Class<?>> types) throws IOException {
    String section = section(kind);
    Set<String> missing = new TreeSet<>();
    types.forEach(type -> collect(type, missing));
    assertThat(missing).isNotEmpty();
    missing.removeIf(name -> Pattern.compile("\\b" + name + "\\b").matcher(section).find());
    assertThat(missing).as("fields of %s that docs/l7-fields.md does not name", kind).isEmpty();
  }

  /** GRPCRoutes have their own rows for what differs from HTTPRoutes. */
  @Test
  void whatAGrpcRouteHasIsNamedThereOrOfHttpRoutes() throws IOException {
    Set<String> missing = new TreeSet<>();
    collect(GRPCRouteSpec.class, missing);
    String sections = section("HTTPRoute") + section("GRPCRoute");
    missing.removeIf(name -> Pattern.compile("\\b" + name + "\\b").matcher(sections).find());
    assertThat(missing).isEmpty();
  }

  private static String section(String kind) throws IOException {
    return Stream.of(Files.readString(PAGE).split("(?m)^## ", -1))
        .filter(section -> section.startsWith(kind + " ") || section.startsWith(kind + "\n"))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no section of " + kind));
  }

  private static void collect(Class<?> type, Set<String> names) {
    for (Field field : type.getDeclaredFields()) {
      JsonProperty property = field.getAnnotation(JsonProperty.class);
      if (property == null) {
        continue;
      }
      // Those that are one of several have a name of the schema's own, which no manifest has.
      if (Character.isLowerCase(property.value().charAt(0))) {
        names.add(property.value());
      }
      if (!property.value().endsWith("Refs")) {
        element(field.getGenericType()).ifPresent(each -> collect(each, names));
      }
    }
  }

  /** What a list consists of, where that has fields. */
  private static Optional<Class<?>> element(Type type) {
    return type instanceof ParameterizedType list
            && list.getRawType() == List.class
            && list.getActualTypeArguments()[0] instanceof Class<?> element
            && element.getName().startsWith("io.fabric8")
        ? Optional.of(element)
        : Optional.empty();
  }
}
