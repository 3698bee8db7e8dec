package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Takes out of what leaves the cluster what must not: tokens, keys, passwords, and the values of
 * environment variables, in whatever object or log they stand.
 */
public final class Redaction {
  static final String REMOVED = "(removed)";

  private static final Pattern KEY_BLOCK =
      Pattern.compile(
          "-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\\z)",
          Pattern.DOTALL);

  /** Keys that stand base64-encoded once more, as Secrets and dumps have them. */
  private static final Pattern ENCODED_KEY_BLOCK =
      Pattern.compile("LS0tLS1CRUdJTi[A-Za-z0-9+/=]{200,}");

  private static final Pattern TOKEN =
      Pattern.compile("eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}(\\.[A-Za-z0-9_-]*)?");

  private static final Pattern CREDENTIALS =
      Pattern.compile("(?i)\\b(bearer|basic)\\s+[A-Za-z0-9+/._~=-]{6,}");

  private static final Pattern USER_INFO = Pattern.compile("(://)[^/\\s:@]+:[^/\\s@]+@");

  private static final Pattern ASSIGNMENT =
      Pattern.compile(
          "(?i)([\\w.-]*(password|passwd|secret|token|api[_-]?key)[\\w.-]*[\"']?\\s*[=:]\\s*)(\"[^\"]*\"|'[^']*'|[^\\s,;}&]+)");

  /** Fields whose text is never wanted, by their names in small letters. */
  private static final Set<String> SECRET_FIELDS =
      Set.of(
          "password",
          "token",
          "secret",
          "privatekey",
          "private_key",
          "clientsecret",
          "client_secret",
          "apikey",
          "api_key",
          "inlinebytes",
          "inline_bytes",
          "inlinestring",
          "inline_string",
          "bearertoken");

  /** Headers and settings, as {@code name} or {@code key} and {@code value}, that hold secrets. */
  private static final Pattern SECRET_NAME =
      Pattern.compile("(?i).*(auth|token|key|secret|cookie|passw|credential).*");

  /** Maps of which any value may be one. */
  private static final Set<String> SECRET_MAPS = Set.of("includeAdditionalHeadersInCheck");

  /** Whatever tools keep of an object's source, which would be there a second time. */
  private static final List<String> ANNOTATIONS =
      List.of("kubectl.kubernetes.io/last-applied-configuration");

  private Redaction() {}

  /** A text, such as a log. */
  public static String text(String text) {
    String redacted = KEY_BLOCK.matcher(text).replaceAll(REMOVED);
    redacted = ENCODED_KEY_BLOCK.matcher(redacted).replaceAll(REMOVED);
    redacted = TOKEN.matcher(redacted).replaceAll(REMOVED);
    redacted = CREDENTIALS.matcher(redacted).replaceAll("$1 " + REMOVED);
    redacted = USER_INFO.matcher(redacted).replaceAll("$1" + REMOVED + "@");
    return ASSIGNMENT.matcher(redacted).replaceAll("$1" + REMOVED);
  }

  /** A document, such as an object of the API server or a dump; it is left as it is. */
  public static JsonNode document(JsonNode document) {
    JsonNode copy = document.deepCopy();
    redact(copy);
    return copy;
  }

  private static void redact(JsonNode node) {
    switch (node) {
      case ObjectNode object -> redact(object);
      case ArrayNode array -> {
        for (int i = 0; i < array.size(); i++) {
          if (array.get(i) instanceof TextNode text) {
            array.set(i, TextNode.valueOf(value(text.asText())));
          } else {
            redact(array.get(i));
          }
        }
      }
      default -> {}
    }
  }

  private static void redact(ObjectNode object) {
    object.remove("managedFields");
    if (object.get("annotations") instanceof ObjectNode annotations) {
      annotations.remove(ANNOTATIONS);
    }
    for (String name : List.copyOf(object.properties().stream().map(e -> e.getKey()).toList())) {
      JsonNode value = object.path(name);
      if (name.equals("env") && value instanceof ArrayNode variables) {
        variables.forEach(Redaction::variable);
      } else if (SECRET_MAPS.contains(name) && value instanceof ObjectNode map) {
        List.copyOf(map.properties()).forEach(entry -> map.put(entry.getKey(), REMOVED));
      } else if (isSecret(object, name, value)) {
        object.put(name, REMOVED);
      } else if (value instanceof TextNode text) {
        object.put(name, value(text.asText()));
      } else {
        redact(value);
      }
    }
  }

  private static boolean isSecret(ObjectNode object, String name, JsonNode value) {
    boolean text = value.isTextual() || value.isNumber() || value.isObject();
    String plain = name.toLowerCase(Locale.ROOT);
    if (plain.equals("value") && value.isTextual()) {
      String of = object.path("name").asText("") + object.path("key").asText("");
      return SECRET_NAME.matcher(of).matches();
    }
    if (SECRET_FIELDS.contains(plain)) {
      // A volume's or a reference's secret is a name.
      return text && !(plain.equals("secret") && value.isObject());
    }
    // A Secret, should one come here after all.
    return (name.equals("data") || name.equals("stringData"))
        && "Secret".equals(object.path("kind").asText());
  }

  private static void variable(JsonNode variable) {
    if (variable instanceof ObjectNode object && object.has("value")) {
      object.put("value", REMOVED);
    }
  }

  /** Certificates are public, keys and tokens are not. */
  private static String value(String text) {
    String redacted = KEY_BLOCK.matcher(text).replaceAll(REMOVED);
    redacted = TOKEN.matcher(redacted).replaceAll(REMOVED);
    redacted = CREDENTIALS.matcher(redacted).replaceAll("$1 " + REMOVED);
    return USER_INFO.matcher(redacted).replaceAll("$1" + REMOVED + "@");
  }
}
