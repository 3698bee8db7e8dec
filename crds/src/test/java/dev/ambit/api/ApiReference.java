package dev.ambit.api;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Our kinds as a page of Markdown: every field with its type, bounds, default and meaning. */
final class ApiReference {
  private static final String HEAD =
      """
      # API reference

      Made from the types of `crds/`; a test there fails where this page is not what they say, and writes it anew with
      `mvn -pl crds test -Dambit.test.args=-Dambit.crds.update=true`. What the fields are for is in the [guide](guide.md), what else there is to look up
      in the [reference](reference.md), and what each condition means in the [operations guide](operations.md).

      """;

  /** Types of Kubernetes' own, documented there, by the names of the fields that have them. */
  private static final Map<String, String> FOREIGN =
      Map.of("env", "EnvVar", "resources", "ResourceRequirements", "conditions", "Condition");

  private final StringBuilder text = new StringBuilder(HEAD);

  private ApiReference() {}

  /** The page for these kinds, in their order. */
  static String of(List<CustomResourceDefinition> kinds) {
    var reference = new ApiReference();
    reference.text.append(
        kinds.stream()
            .map(kind -> kind.getSpec().getNames().getKind())
            .map(kind -> "[" + kind + "](#" + kind.toLowerCase(Locale.ROOT) + ")")
            .collect(Collectors.joining(" · ", "", "\n")));
    kinds.forEach(reference::kind);
    return reference.text.toString();
  }

  private void kind(CustomResourceDefinition definition) {
    var spec = definition.getSpec();
    CustomResourceDefinitionVersion version = spec.getVersions().getFirst();
    JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
    line("\n## " + spec.getNames().getKind());
    line("");
    if (root.getDescription() != null) {
      line(root.getDescription() + "\n");
    }
    line("| | |");
    line("|---|---|");
    line("| `apiVersion` | `" + spec.getGroup() + "/" + version.getName() + "` |");
    line("| scope | " + spec.getScope().toLowerCase(Locale.ROOT) + " |");
    line("| names | " + code(names(definition)) + " |");
    line(
        "| columns | "
            + version.getAdditionalPrinterColumns().stream()
                .map(ApiReference::column)
                .collect(Collectors.joining(", "))
            + " |");
    rules(root);
    for (String part : List.of("spec", "status")) {
      var inside = root.getProperties().get(part);
      if (inside != null) {
        object(spec.getNames().getKind() + "." + part, inside);
      }
    }
  }

  private static List<String> names(CustomResourceDefinition definition) {
    var names = new ArrayList<String>();
    names.add(definition.getSpec().getNames().getPlural());
    names.add(definition.getSpec().getNames().getSingular());
    names.addAll(definition.getSpec().getNames().getShortNames());
    return names;
  }

  private static String column(CustomResourceColumnDefinition column) {
    return column.getName() + " (`" + column.getJsonPath() + "`)";
  }

  private void object(String path, JSONSchemaProps schema) {
    line("\n### `" + path + "`");
    line("");
    line("| field | type | default | |");
    line("|---|---|---|---|");
    var inside = new ArrayList<Map.Entry<String, JSONSchemaProps>>();
    for (Map.Entry<String, JSONSchemaProps> field : schema.getProperties().entrySet()) {
      String name = field.getKey();
      JSONSchemaProps type = field.getValue();
      boolean required = schema.getRequired().contains(name);
      line(
          "| `%s` | %s | %s | %s |"
              .formatted(
                  name,
                  type(name, path, type),
                  type.getDefault() == null ? "" : code(List.of(plain(type.getDefault()))),
                  (required ? "Required. " : "") + cell(type.getDescription())));
      JSONSchemaProps element = element(type);
      if (!FOREIGN.containsKey(name) && !element.getProperties().isEmpty()) {
        inside.add(Map.entry(path + "." + name + (isList(type) ? "[]" : ""), element));
      }
    }
    rules(schema);
    schema.getProperties().values().stream()
        .filter(field -> element(field).getProperties().isEmpty())
        .forEach(this::rules);
    inside.forEach(each -> object(each.getKey(), each.getValue()));
  }

  /** What the API server checks beyond types and bounds, in the words that it answers with. */
  private void rules(JSONSchemaProps schema) {
    List<ValidationRule> rules =
        Optional.ofNullable(schema.getXKubernetesValidations()).orElse(List.of());
    if (!rules.isEmpty()) {
      line("");
      rules.forEach(rule -> line("- " + cell(rule.getMessage()) + ": `" + rule.getRule() + "`"));
    }
  }

  private static String type(String name, String path, JSONSchemaProps schema) {
    String foreign = FOREIGN.get(name);
    if (foreign != null) {
      return isList(schema) ? "list of " + foreign : foreign;
    }
    if (isList(schema)) {
      String element = type("", path, element(schema));
      return "list of "
          + (element(schema).getProperties().isEmpty() ? element : link(path, name + "[]"))
          + bounds("at least ", schema.getMinItems(), "at most ", schema.getMaxItems(), "");
    }
    if (!schema.getProperties().isEmpty()) {
      return link(path, name);
    }
    if (schema.getAdditionalProperties() != null) {
      return "map of strings";
    }
    if (schema.getEnum() != null && !schema.getEnum().isEmpty()) {
      return code(schema.getEnum().stream().map(ApiReference::plain).toList());
    }
    if (Boolean.TRUE.equals(schema.getXKubernetesIntOrString())) {
      return "integer or string";
    }
    return schema.getType()
        + bounds("at least ", schema.getMinimum(), "at most ", schema.getMaximum(), "")
        + bounds(
            "at least ", schema.getMinLength(), "at most ", schema.getMaxLength(), " characters")
        + (schema.getPattern() == null ? "" : ", `" + cell(schema.getPattern()) + "`");
  }

  private static String link(String path, String name) {
    String anchor = (path + "." + name).toLowerCase(Locale.ROOT).replaceAll("[^a-z0-9-]", "");
    return "["
        + (name.endsWith("[]") ? name.substring(0, name.length() - 2) : name)
        + "](#"
        + anchor
        + ")";
  }

  private static String bounds(
      String least, @Nullable Number minimum, String most, @Nullable Number maximum, String unit) {
    if (minimum != null && maximum != null) {
      return ", " + plain(minimum) + " to " + plain(maximum) + unit;
    }
    if (minimum != null) {
      return ", " + least + plain(minimum) + unit;
    }
    return maximum == null ? "" : ", " + most + plain(maximum) + unit;
  }

  private static String plain(Number number) {
    return number instanceof Double d && d == Math.rint(d)
        ? Long.toString(d.longValue())
        : number.toString();
  }

  private static String plain(com.fasterxml.jackson.databind.JsonNode value) {
    return value.isTextual() ? value.asText() : value.toString();
  }

  private static boolean isList(JSONSchemaProps schema) {
    return "array".equals(schema.getType());
  }

  private static JSONSchemaProps element(JSONSchemaProps schema) {
    return isList(schema) ? schema.getItems().getSchema() : schema;
  }

  private static String code(List<String> values) {
    return values.stream().map(value -> "`" + value + "`").collect(Collectors.joining(" "));
  }

  private static String cell(@Nullable String value) {
    return value == null ? "" : value.replace("|", "\\|").replace("\n", " ");
  }

  private void line(String line) {
    text.append(line).append('\n');
  }
}
