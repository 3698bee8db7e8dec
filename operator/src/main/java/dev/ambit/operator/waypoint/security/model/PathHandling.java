package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.BoolValue;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.PathWithEscapedSlashesAction;

/**
 * How Envoy reads paths before routes and policies see them: dots are resolved. Slashes that are
 * doubled or encoded stay as they are, for servers that mean something by them; policies take them
 * for both.
 */
public final class PathHandling {
  private PathHandling() {}

  /** Sets it on the connection manager of an HTTP chain. */
  public static HttpConnectionManager.Builder apply(HttpConnectionManager.Builder manager) {
    return manager
        .setNormalizePath(BoolValue.of(true))
        .setMergeSlashes(false)
        .setPathWithEscapedSlashesAction(PathWithEscapedSlashesAction.KEEP_UNCHANGED);
  }
}
