package dev.ambit.operator.waypoint.security.model;

import org.jspecify.annotations.Nullable;

/** Names of headers; Envoy refuses a whole resource for one that is none. */
final class HeaderName {
  private static final String TOKEN = "[-!#$%&'*+.^_`|~0-9A-Za-z]{1,256}";

  private HeaderName() {}

  /** Whether it can be a header's (RFC 9110, section 5.1). */
  static boolean isOne(@Nullable String text) {
    return text != null && text.matches(TOKEN);
  }

  /** The same, of pseudo headers too. */
  static boolean isOneOrPseudo(String text) {
    return isOne(text.startsWith(":") ? text.substring(1) : text);
  }
}
