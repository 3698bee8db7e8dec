package dev.ambit.agent.cni;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the plugin passes on: the variables with which the container runtime called it, and what it
 * read from its standard input.
 */
public record CniRequest(
    String command,
    String containerId,
    String network,
    String device,
    String arguments,
    String configuration) {

  static final int MAX_FIELD = 1 << 20;

  /** Reads six fields, each after its length as a 32-bit number in network order. */
  static CniRequest read(DataInputStream in) throws IOException {
    return new CniRequest(field(in), field(in), field(in), field(in), field(in), field(in));
  }

  private static String field(DataInputStream in) throws IOException {
    int length = in.readInt();
    if (length < 0 || length > MAX_FIELD) {
      throw new IOException("field of " + Integer.toUnsignedString(length) + " bytes");
    }
    return new String(in.readNBytes(length), StandardCharsets.UTF_8);
  }

  /** A variable of {@code CNI_ARGS}, such as {@code K8S_POD_NAMESPACE}; null where it is absent. */
  @Nullable String argument(String name) {
    return parsed(arguments).get(name);
  }

  private static Map<String, String> parsed(String arguments) {
    var parsed = new LinkedHashMap<String, String>();
    for (var argument : arguments.split(";", -1)) {
      int equals = argument.indexOf('=');
      if (equals > 0) {
        parsed.put(argument.substring(0, equals), argument.substring(equals + 1));
      }
    }
    return parsed;
  }
}
