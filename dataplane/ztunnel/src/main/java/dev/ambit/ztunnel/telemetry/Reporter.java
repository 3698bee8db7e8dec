package dev.ambit.ztunnel.telemetry;

/** Which end of a connection this ztunnel stands for. */
public enum Reporter {
  /** The pod that opened it: outbound. */
  SOURCE("source", "outbound"),
  /** The pod that accepts it: inbound. */
  DESTINATION("destination", "inbound");

  private final String label;
  private final String direction;

  Reporter(String label, String direction) {
    this.label = label;
    this.direction = direction;
  }

  /** The metrics' {@code reporter}. */
  public String label() {
    return label;
  }

  /** The access log's {@code direction}. */
  public String direction() {
    return direction;
  }
}
