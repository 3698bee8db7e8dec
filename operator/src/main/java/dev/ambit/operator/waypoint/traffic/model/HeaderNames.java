package dev.ambit.operator.waypoint.traffic.model;

import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Names of header fields that Envoy takes; one that it does not take costs it a whole resource. */
final class HeaderNames {
  private static final Pattern NAME = Pattern.compile(":?[0-9a-zA-Z!#$%&'*+\\-.^_|~`]+");

  private HeaderNames() {}

  static boolean isValid(@Nullable String name) {
    return name != null && NAME.matcher(name).matches();
  }

  static boolean isAuthority(String name) {
    return name.equalsIgnoreCase(":authority") || name.equalsIgnoreCase("host");
  }

  /** Whether Envoy lets no one change it as a header. */
  static boolean isReserved(String name) {
    return name.startsWith(":") || name.equalsIgnoreCase("host");
  }
}
