package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Size;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Selects namespaces by their labels, as Kubernetes' label selectors do. All of it must hold. */
@JsonInclude(JsonInclude.Include.NON_EMPTY)
public record NamespaceSelector(
    @JsonPropertyDescription("Labels that a namespace must have, with these values.")
        Map<String, String> matchLabels,
    @JsonPropertyDescription("What must hold of a namespace's labels.") @Size(max = 50)
        List<SelectorRequirement> matchExpressions) {

  public NamespaceSelector(
      @Nullable Map<String, String> matchLabels,
      @Nullable List<SelectorRequirement> matchExpressions) {
    this.matchLabels = matchLabels == null ? Map.of() : Map.copyOf(matchLabels);
    this.matchExpressions = matchExpressions == null ? List.of() : List.copyOf(matchExpressions);
  }

  /** Whether a namespace with these labels is selected. */
  public boolean selects(Map<String, String> labels) {
    return labels.entrySet().containsAll(matchLabels.entrySet())
        && matchExpressions.stream().allMatch(each -> each.holds(labels));
  }
}
