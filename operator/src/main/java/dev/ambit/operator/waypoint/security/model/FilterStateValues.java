package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;

/** What is set on a connection for those that it is handed on to. */
final class FilterStateValues {
  private FilterStateValues() {}

  /** A text by a format, for the next hop, whose connections are pooled by it. */
  static FilterStateValue handedOn(String key, String format) {
    return FilterStateValue.newBuilder()
        .setObjectKey(key)
        .setFactoryKey(FilterState.HASHABLE_STRING)
        .setSharedWithUpstream(FilterStateValue.SharedWithUpstream.ONCE)
        .setFormatString(
            SubstitutionFormatString.newBuilder()
                .setTextFormatSource(DataSource.newBuilder().setInlineString(format)))
        .build();
  }
}
