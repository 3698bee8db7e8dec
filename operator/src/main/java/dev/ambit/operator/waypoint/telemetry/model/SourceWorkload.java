package dev.ambit.operator.waypoint.telemetry.model;

import com.google.protobuf.Any;
import dev.ambit.operator.waypoint.model.FilterState;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.SubstitutionFormatString;
import io.envoyproxy.envoy.extensions.filters.common.set_filter_state.v3.FilterStateValue;
import io.envoyproxy.envoy.extensions.filters.http.lua.v3.Lua;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import java.util.List;

/**
 * Which workload a tunnel comes from, for metrics and logs: what the caller's ztunnel says in the
 * {@code baggage} of its CONNECT, brought to the inner hops. The namespace is the certificate's; a
 * baggage of another namespace is not believed, and none decides anything but labels.
 */
public final class SourceWorkload {
  static final String WORKLOAD = "ambit.source.workload";
  static final String NAMESPACE = "ambit.source.namespace";
  static final String SERVICE = "ambit.source.service";
  static final String REVISION = "ambit.source.revision";
  static final String CLUSTER = "ambit.source.cluster";

  private static final List<String> KEYS = List.of(WORKLOAD, NAMESPACE, SERVICE, REVISION, CLUSTER);

  private static final String METADATA = "ambit.source";

  // A tunnel's end has no use for a value that Kubernetes would not take as a name, so what is
  // longer or made of other characters counts as not said; so does all of a header that is longer
  // than ztunnels' are.
  private static final String SCRIPT =
      """
      local KINDS = { deployment = true, statefulset = true, daemonset = true, replicaset = true,
                      cronjob = true, job = true, pod = true }

      local function parse(baggage)
        local said = {}
        for name, value in string.gmatch(baggage, "([%w%.]+)=([%w%.%-_]+)%f[,;%z]") do
          if #value <= 253 and said[name] == nil then
            said[name] = value
            local kind = string.match(name, "^k8s%.(%l+)%.name$")
            if kind and KINDS[kind] then
              said.workload = said.workload or value
            end
          end
        end
        return said
      end

      function envoy_on_request(handle)
        local info = handle:streamInfo()
        local tls = info:downstreamSslConnection()
        local principal = tls and tls:uriSanPeerCertificate()[1] or ""
        local namespace = string.match(principal, "^spiffe://[^/]+/ns/([^/]+)/sa/[^/]+$")
        local baggage = handle:headers():get("baggage")
        local said = {}
        if namespace and baggage and #baggage <= 2048 then
          said = parse(baggage)
          if said["k8s.namespace.name"] ~= namespace then
            said = {}
          end
        end
        local metadata = info:dynamicMetadata()
        metadata:set("ambit.source", "workload", said.workload or "unknown")
        metadata:set("ambit.source", "namespace", namespace or "unknown")
        metadata:set("ambit.source", "service", said["service.name"] or "unknown")
        metadata:set("ambit.source", "revision", said["service.version"] or "unknown")
        metadata:set("ambit.source", "cluster", said["k8s.cluster.name"] or "unknown")
      end
      """;

  private SourceWorkload() {}

  /** Reads the baggage where tunnels end; before the filter that sets {@link #states}. */
  public static HttpFilter reader() {
    return HttpFilter.newBuilder()
        .setName("source")
        .setTypedConfig(
            Any.pack(
                Lua.newBuilder()
                    .setDefaultSourceCode(DataSource.newBuilder().setInlineString(SCRIPT))
                    .build()))
        .build();
  }

  /** What to set on a tunnel where it ends, besides its principals and addresses. */
  public static List<FilterStateValue> states() {
    return KEYS.stream()
        .map(
            key ->
                shared(
                    key,
                    "%DYNAMIC_METADATA("
                        + METADATA
                        + ":"
                        + key.substring(METADATA.length() + 1)
                        + ")%"))
        .toList();
  }

  /** The same at an inner hop that hands connections on to another. */
  public static List<FilterStateValue> forwarded() {
    return KEYS.stream().map(key -> shared(key, "%FILTER_STATE(" + key + ":PLAIN)%")).toList();
  }

  private static FilterStateValue shared(String key, String format) {
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
