package dev.ambit.operator.waypoint.security.model;

import dev.ambit.api.ExtensionProvider;
import dev.ambit.operator.model.TrustDomains;
import java.util.List;
import java.util.Optional;

/**
 * What the whole mesh agrees on, as far as policies at waypoints turn on it.
 *
 * @param rootNamespace where policies may attach to GatewayClasses
 */
public record SecuritySettings(
    String rootNamespace, TrustDomains trustDomains, List<ExtensionProvider> providers) {
  /** Copies the providers. */
  public SecuritySettings {
    providers = List.copyOf(providers);
  }

  Optional<ExtensionProvider> provider(String name) {
    return providers.stream().filter(provider -> provider.name().equals(name)).findFirst();
  }
}
