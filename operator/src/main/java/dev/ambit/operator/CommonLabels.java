package dev.ambit.operator;

import java.util.Map;

/** Labels of everything that the operator makes. */
public final class CommonLabels {
  public static final String NAME = "app.kubernetes.io/name";
  public static final String PART_OF = "app.kubernetes.io/part-of";
  public static final String MANAGED_BY = "app.kubernetes.io/managed-by";
  public static final String AMBIT = "ambit";

  private CommonLabels() {}

  /** The labels of an object of this name. */
  public static Map<String, String> of(String name) {
    return Map.of(NAME, name, PART_OF, AMBIT, MANAGED_BY, AMBIT);
  }
}
