package dev.ambit.operator.waypoint.telemetry.model;

/**
 * How a waypoint's metrics come to Prometheus under Istio's names; what its bootstrap has for it.
 */
public final class Scraping {
  /** How often Envoy drops series that nothing was added to since the sweep before, in seconds. */
  public static final int EVICTION_SECONDS = 3600;

  /**
   * An extension in WebAssembly, in Base64, the least that Envoy takes for one: it exports
   * "proxy_abi_version_0_2_1" and "malloc", which do nothing, and one page of memory. Envoy loads
   * it once, on its main thread, and never calls it. That it is there makes Envoy cut {@link
   * #PREFIX} from metrics' names, where else it would put "envoy_" before them.
   */
  public static final String EMPTY_EXTENSION =
      "AGFzbQEAAAABCQJgAABgAX8BfwMDAgABBQMBAAEHLQMXcHJveHlfYWJpX3ZlcnNpb25fMF8yXzEAAAZtZW1vcnkC"
          + "AAZtYWxsb2MAAQoJAgIACwQAQQAL";

  /** What Envoy has for the metrics of its users' extensions. */
  static final String PREFIX = "wasmcustom";

  private Scraping() {}
}
