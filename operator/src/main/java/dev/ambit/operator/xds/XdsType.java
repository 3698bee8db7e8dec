package dev.ambit.operator.xds;

/**
 * One type of resources that the server has. The order in which a server is given its types is the
 * order of their dependence: additions go out in that order, removals in the reverse.
 *
 * @param url as clients name it
 * @param awaitsEarlier whether a client's first answer of this type waits until the client has
 *     asked for the earlier types too, so that what it refers to arrives first
 */
public record XdsType(String url, boolean awaitsEarlier) {
  private static final String PREFIX = "type.googleapis.com/";

  /** A type by its protobuf name. */
  public static XdsType of(String name, boolean awaitsEarlier) {
    return new XdsType(PREFIX + name, awaitsEarlier);
  }

  /** As a metric's label. */
  String label() {
    return url.substring(url.lastIndexOf('.') + 1);
  }
}
