package dev.ambit.operator.waypoint.traffic.model;

/** Host names as Istio's kinds have them: short, full, or with a leading asterisk. */
final class Hosts {
  private Hosts() {}

  /** The full name; a name without a dot is that of a Service in the object's own namespace. */
  static String resolve(String host, String namespace, String clusterDomain) {
    if (host.isEmpty() || host.contains(".") || isWildcard(host)) {
      return host;
    }
    return host + "." + namespace + ".svc." + clusterDomain;
  }

  static boolean isWildcard(String host) {
    return host.startsWith("*");
  }

  /** Whether all names that the second stands for are among those that the first stands for. */
  static boolean covers(String pattern, String hostname) {
    if (!isWildcard(pattern)) {
      return pattern.equals(hostname);
    }
    String suffix = pattern.substring(1);
    return isWildcard(hostname)
        ? hostname.substring(1).endsWith(suffix)
        : hostname.length() > suffix.length() && hostname.endsWith(suffix);
  }

  /** Whether there are names that both stand for. */
  static boolean overlap(String one, String other) {
    return covers(one, other) || covers(other, one);
  }

  /** The more specific of two that cover a name is smaller. */
  static int specificity(String one, String other) {
    if (isWildcard(one) != isWildcard(other)) {
      return isWildcard(one) ? 1 : -1;
    }
    return Integer.compare(other.length(), one.length());
  }
}
