package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Required;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What must hold of one label. */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
@ValidationRule(
    value =
        "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 :"
            + " !has(self.values) || size(self.values) == 0",
    message = "In and NotIn need values, Exists and DoesNotExist have none")
public record SelectorRequirement(
    @JsonPropertyDescription("The label's key.") @Required @Size(min = 1, max = 317) String key,
    @JsonPropertyDescription(
            "In or NotIn: whether its value is one of values (a namespace without the label is NotIn);"
                + " Exists or DoesNotExist: whether it is there.")
        @Required
        SelectorOperator operator,
    @JsonPropertyDescription("Values for In and NotIn.") @Size(max = 100) List<String> values) {

  public SelectorRequirement(String key, SelectorOperator operator, @Nullable List<String> values) {
    this.key = key;
    this.operator = operator;
    this.values = values == null ? List.of() : List.copyOf(values);
  }

  /** Whether it holds of these labels. */
  boolean holds(Map<String, String> labels) {
    String value = labels.get(key);
    return switch (operator) {
      case IN -> value != null && values.contains(value);
      case NOT_IN -> value == null || !values.contains(value);
      case EXISTS -> value != null;
      case DOES_NOT_EXIST -> value == null;
    };
  }
}
