package dev.ambit.operator;

import java.util.Map;

/**
 * What the operator is told by its environment.
 *
 * @param podName name of the replica's pod
 * @param rootNamespace the namespace that Ambit is installed in
 * @param podIp address of the replica's pod
 */
public record OperatorSettings(String podName, String rootNamespace, String podIp) {
  /** Where health, readiness and metrics are served. */
  public static final int HTTP_PORT = 15014;

  /**
   * Reads the environment.
   *
   * @throws IllegalArgumentException naming the variable that is missing
   */
  public static OperatorSettings of(Map<String, String> environment) {
    return new OperatorSettings(
        required(environment, "POD_NAME"),
        required(environment, "POD_NAMESPACE"),
        required(environment, "POD_IP"));
  }

  private static String required(Map<String, String> environment, String name) {
    String value = environment.get(name);
    if (value == null || value.isEmpty()) {
      throw new IllegalArgumentException(
          "environment variable " + name + " is not set: set it from the pod's own field");
    }
    return value;
  }
}
