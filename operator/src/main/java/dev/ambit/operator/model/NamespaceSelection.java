package dev.ambit.operator.model;

import io.fabric8.kubernetes.api.model.LabelSelector;
import io.fabric8.kubernetes.api.model.LabelSelectorRequirement;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Which namespaces a listener of a Gateway admits routes, or what is bound to it, from. */
public final class NamespaceSelection {
  private NamespaceSelection() {}

  /**
   * Whether one is admitted.
   *
   * @param from "Same", "All" or "Selector"
   * @param selector where it is "Selector"
   * @param own the Gateway's namespace
   */
  public static boolean admits(
      String from,
      @Nullable LabelSelector selector,
      String own,
      String namespace,
      Map<String, String> labels) {
    return switch (from) {
      case "All" -> true;
      case "Selector" -> matches(selector, labels);
      default -> own.equals(namespace);
    };
  }

  /** Whether labels are selected; a selector that is not there selects nothing. */
  public static boolean matches(@Nullable LabelSelector selector, Map<String, String> labels) {
    if (selector == null) {
      return false;
    }
    return (selector.getMatchLabels() == null
            || labels.entrySet().containsAll(selector.getMatchLabels().entrySet()))
        && (selector.getMatchExpressions() == null
            || selector.getMatchExpressions().stream()
                .allMatch(expression -> matches(expression, labels)));
  }

  private static boolean matches(LabelSelectorRequirement expression, Map<String, String> labels) {
    String value = labels.get(expression.getKey());
    List<String> values =
        expression.getValues() == null ? List.<String>of() : expression.getValues();
    return switch (expression.getOperator()) {
      case "In" -> value != null && values.contains(value);
      case "NotIn" -> value == null || !values.contains(value);
      case "Exists" -> value != null;
      case "DoesNotExist" -> value == null;
      // What is not understood admits nobody.
      default -> false;
    };
  }
}
