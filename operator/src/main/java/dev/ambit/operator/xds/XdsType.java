package dev.ambit.operator.xds;

/**
 * One type of resources that the server has. The order in which a server is given its types is the
 * order of their dependence: additions go out in that order, removals in the reverse.
 *
 * @param url as clients name it
 * @param awaitsEarlier whether a client's first answer of this type waits until the client has
 *     asked for the earlier types too, so that what it refers to arrives first
 * @param delivery how its resources travel
 * @param follows URL of an earlier type, of whose resources each wants the one of the same name of
 *     this type again whenever it is sent itself; empty for none
 * @param conclusion name of the resource that goes out last, once the client has asked for all
 *     others of this type and has answered to them; empty for none
 */
public record XdsType(
    String url, boolean awaitsEarlier, Delivery delivery, String follows, String conclusion) {
  private static final String PREFIX = "type.googleapis.com/";

  /** How resources of a type travel. */
  public enum Delivery {
    /** As many in one response as go in. */
    TOGETHER,
    /** Likewise, once the client has answered to what it was sent of earlier types. */
    AFTER_EARLIER,
    /**
     * Likewise, but one in a response, since one that is rejected would take those along that are
     * in the same response.
     */
    ALONE_AFTER_EARLIER
  }

  public XdsType(String url, boolean awaitsEarlier) {
    this(url, awaitsEarlier, Delivery.TOGETHER, "", "");
  }

  /** A type by its protobuf name. */
  public static XdsType of(String name, boolean awaitsEarlier) {
    return new XdsType(PREFIX + name, awaitsEarlier);
  }

  /** The same, travelling in that way. */
  public XdsType delivered(Delivery next) {
    return new XdsType(url, awaitsEarlier, next, follows, conclusion);
  }

  /** The same, whose resources follow those of another type. */
  public XdsType following(XdsType leader) {
    return new XdsType(url, awaitsEarlier, delivery, leader.url(), conclusion);
  }

  /** The same, of which the resource of that name goes out last. */
  public XdsType concluding(String name) {
    return new XdsType(url, awaitsEarlier, delivery, follows, name);
  }

  /** As a metric's label. */
  String label() {
    return url.substring(url.lastIndexOf('.') + 1);
  }
}
