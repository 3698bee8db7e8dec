package dev.ambit.operator.waypoint.config.model;

import dev.ambit.api.DefaultProviders;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.operator.model.MeshSettings;
import java.util.List;

/**
 * What the whole mesh agrees on, as far as waypoints turn on it.
 *
 * @param providers that policies and Telemetry objects name
 * @param defaults those that are used where nothing names any
 * @param serveIstioClass whether waypoints of Istio's class are to be served
 */
public record WaypointSettings(
    MeshSettings mesh,
    List<ExtensionProvider> providers,
    DefaultProviders defaults,
    boolean serveIstioClass) {
  /** Copies the providers. */
  public WaypointSettings {
    providers = List.copyOf(providers);
  }
}
