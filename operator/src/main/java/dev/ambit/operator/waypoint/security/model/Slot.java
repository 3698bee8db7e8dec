package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import io.envoyproxy.envoy.config.core.v3.AggregatedConfigSource;
import io.envoyproxy.envoy.config.core.v3.ApiVersion;
import io.envoyproxy.envoy.config.core.v3.ConfigSource;
import io.envoyproxy.envoy.config.core.v3.ExtensionConfigSource;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.extensions.filters.http.ext_authz.v3.ExtAuthz;
import io.envoyproxy.envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication;
import io.envoyproxy.envoy.extensions.filters.http.rbac.v3.RBAC;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import java.util.Arrays;
import java.util.List;

/**
 * A place among the HTTP filters that a policy may fill, in their order. The filter's configuration
 * is a resource of its own, so that a changed policy drains no connection; a place whose resource
 * is missing lets nothing pass.
 */
public enum Slot {
  /** Finds out which requests an external authorizer is to be asked for. */
  CUSTOM_MATCH("custom-match", RBAC.getDefaultInstance()),
  /** Asks it. */
  CUSTOM("custom", RBAC.getDefaultInstance(), ExtAuthz.getDefaultInstance()),
  /** Verifies tokens. */
  JWT("jwt", RBAC.getDefaultInstance(), JwtAuthentication.getDefaultInstance()),
  /** Marks requests for the log. */
  AUDIT("audit", RBAC.getDefaultInstance()),
  /** Refuses what a policy denies. */
  DENY("deny", RBAC.getDefaultInstance()),
  /** Refuses what no policy allows, where any does. */
  ALLOW("allow", RBAC.getDefaultInstance());

  private final String prefix;
  private final List<Message> types;

  Slot(String prefix, Message... types) {
    this.prefix = prefix;
    this.types = List.of(types);
  }

  /** The name of its resource; the key is that of a service. */
  public String resourceName(String key) {
    return prefix + "|" + key;
  }

  /** The filter that stands in this place of that service's HTTP chains. */
  public HttpFilter filter(String key) {
    return filter(resourceName(key), types);
  }

  /** All of them, in their order. */
  public static List<HttpFilter> filters(String key) {
    return Arrays.stream(values()).map(slot -> slot.filter(key)).toList();
  }

  static HttpFilter filter(String resourceName, List<Message> types) {
    ExtensionConfigSource.Builder discovery =
        ExtensionConfigSource.newBuilder()
            .setConfigSource(
                ConfigSource.newBuilder()
                    .setResourceApiVersion(ApiVersion.V3)
                    .setAds(AggregatedConfigSource.getDefaultInstance()));
    types.forEach(type -> discovery.addTypeUrls(Any.pack(type).getTypeUrl()));
    return HttpFilter.newBuilder().setName(resourceName).setConfigDiscovery(discovery).build();
  }

  /** The resource that fills the place. */
  TypedExtensionConfig fill(String key, Message filter) {
    return resource(resourceName(key), filter);
  }

  static TypedExtensionConfig resource(String name, Message filter) {
    return TypedExtensionConfig.newBuilder().setName(name).setTypedConfig(Any.pack(filter)).build();
  }
}
