package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.DryRun;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.extensions.filters.http.rbac.v3.RBAC;
import io.envoyproxy.envoy.extensions.filters.http.set_filter_state.v3.Config;
import io.envoyproxy.envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * What policies make of a tunnel when it is asked for, before a byte of it has gone anywhere, since
 * a server may speak first. A tunnel to a port that is not HTTP is judged by what is known then. So
 * is one to a port of no declared protocol, but that verdict holds only once the client's first
 * bytes are not HTTP; it is handed on with the connection.
 */
public final class ConnectSecurity {
  /** The resource that judges tunnels. */
  public static final String RESOURCE = "connect";

  /** The resource that judges tunnels of which it is not known what they will carry. */
  public static final String DETECTED_RESOURCE = "connect-detected";

  /**
   * The key of a connection's filter state under which it is handed on what was decided for the
   * case that it is not HTTP.
   */
  public static final String DETECTED_VERDICT = "ambit.detected.verdict";

  /** The verdict with which it may go on; with any other, or none, it may not. */
  public static final String ALLOWED = "allowed";

  private static final String DETECTED_PREFIX = "ambit_detected_";
  private static final String DRY_RUN_PREFIX = "istio_dry_run_";

  private ConnectSecurity() {}

  /**
   * A port that tunnels lead to.
   *
   * @param destinations its addresses, all of a service's
   * @param policies that hold for it
   */
  public record Port(
      List<Destination> destinations, PortProtocol protocol, AttachedPolicies policies) {
    /** Copies the destinations. */
    public Port {
      destinations = List.copyOf(destinations);
    }
  }

  /** Both resources for a waypoint with those ports. */
  public static List<TypedExtensionConfig> resources(
      Collection<Port> ports, SecuritySettings settings) {
    Map<Destination, ConnectionRules.Verdicts> connect = new TreeMap<>(BY_TEXT);
    Map<Destination, ConnectionRules.Verdicts> dryRun = new TreeMap<>(BY_TEXT);
    Map<Destination, ConnectionRules.Verdicts> detected = new TreeMap<>(BY_TEXT);
    for (Port port : ports) {
      if (port.policies().authorizations().isEmpty() || port.destinations().isEmpty()) {
        continue;
      }
      Optional<Map<Destination, ConnectionRules.Verdicts>> judged =
          switch (port.protocol()) {
            case TCP, TLS -> Optional.of(connect);
            case DETECTED -> Optional.of(detected);
            // Their requests are judged one by one.
            case HTTP, HTTP2, GRPC -> Optional.empty();
          };
      if (judged.isEmpty()) {
        continue;
      }
      ActionRules rules = ActionRules.of(port.policies().authorizations(), settings, Layer.TCP);
      ConnectionRules.Verdicts enforced = ConnectionRules.Verdicts.enforced(rules);
      ConnectionRules.Verdicts tried =
          new ConnectionRules.Verdicts(rules.dryDeny(), rules.dryAllow());
      for (Destination destination : port.destinations()) {
        if (!enforced.letsAllPass()) {
          judged.get().put(destination, enforced);
        }
        if (!tried.letsAllPass()) {
          dryRun.put(destination, tried);
        }
      }
    }
    RBAC.Builder judge =
        RBAC.newBuilder()
            .setRulesStatPrefix("connect")
            .setShadowRulesStatPrefix(DRY_RUN_PREFIX)
            .setTrackPerRuleStats(true);
    if (!connect.isEmpty()) {
      judge.setMatcher(ConnectionRules.matcher(connect));
    }
    if (!dryRun.isEmpty()) {
      judge.setShadowMatcher(ConnectionRules.matcher(dryRun));
    }
    // It always decides, since a connection without a verdict may not go on.
    RBAC detect =
        RBAC.newBuilder()
            .setShadowRulesStatPrefix(DETECTED_PREFIX)
            .setShadowMatcher(ConnectionRules.matcher(detected))
            .build();
    return List.of(
        Slot.resource(RESOURCE, judge.build()), Slot.resource(DETECTED_RESOURCE, detect));
  }

  /** The policies of those ports that a resource of that name is made from. */
  public static Set<ObjectReference> policies(Collection<Port> ports, String resource) {
    boolean judges = resource.equals(RESOURCE);
    if (!judges && !resource.equals(DETECTED_RESOURCE)) {
      return Set.of();
    }
    Set<ObjectReference> policies = new HashSet<>();
    for (Port port : ports) {
      for (AuthorizationPolicy policy : port.policies().authorizations()) {
        boolean concerned =
            switch (port.protocol()) {
              case TCP, TLS -> judges;
              // What is only tried is tried in one place.
              case DETECTED -> judges == DryRun.is(policy);
              case HTTP, HTTP2, GRPC -> false;
            };
        if (concerned && !port.destinations().isEmpty()) {
          policies.add(ObjectReference.of(policy));
        }
      }
    }
    return policies;
  }

  private static final java.util.Comparator<Destination> BY_TEXT =
      java.util.Comparator.comparing(Destination::toString);

  /**
   * The filters, in their order, for where tunnels end; after those that set who the client is and
   * where it wants to go.
   */
  public static List<HttpFilter> filters() {
    List<com.google.protobuf.Message> types = List.of(RBAC.getDefaultInstance());
    List<HttpFilter> filters = new ArrayList<>();
    filters.add(Slot.filter(RESOURCE, types));
    filters.add(Slot.filter(DETECTED_RESOURCE, types));
    filters.add(
        HttpFilter.newBuilder()
            .setName("envoy.filters.http.set_filter_state")
            .setTypedConfig(com.google.protobuf.Any.pack(handOn()))
            .build());
    return List.copyOf(filters);
  }

  private static Config handOn() {
    return Config.newBuilder()
        .addOnRequestHeaders(
            FilterStateValues.handedOn(
                DETECTED_VERDICT,
                "%DYNAMIC_METADATA(envoy.filters.http.rbac:"
                    + DETECTED_PREFIX
                    + "shadow_engine_result)%"))
        .build();
  }
}
