package dev.ambit.cli;

/** An object that the command line names: {@code NAME}, or {@code NAMESPACE/NAME}. */
record Reference(String namespace, String name) {
  /** Parses; {@code pod/}, as kubectl has it, may stand before a name of {@code kind}. */
  static Reference parse(String text, String kind, String namespace) {
    String rest = text.startsWith(kind + "/") ? text.substring(kind.length() + 1) : text;
    String[] parts = rest.split("/", -1);
    if (parts.length > 2 || parts[0].isEmpty() || parts[parts.length - 1].isEmpty()) {
      throw Failure.usage("'" + text + "' names no " + kind + ": give NAME or NAMESPACE/NAME");
    }
    return parts.length == 1
        ? new Reference(namespace, parts[0])
        : new Reference(parts[0], parts[1]);
  }

  @Override
  public String toString() {
    return namespace + "/" + name;
  }
}
