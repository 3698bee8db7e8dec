package dev.ambit.operator.waypoint.config.model;

import dev.ambit.operator.waypoint.model.Backend;
import io.envoyproxy.envoy.config.listener.v3.FilterChain;
import io.envoyproxy.envoy.config.route.v3.RouteConfiguration;
import java.util.List;
import java.util.Set;

/** What one service, or all pods, add to the listeners that a whole waypoint shares. */
sealed interface ListenerPart permits ServicePlan, PodsPlan {
  /** Chains of the listener that tunnels lead to. */
  List<FilterChain> main();

  /** Chains of the one that finds out what connections are. */
  List<FilterChain> sniff();

  /** Which connections go to the chains of the first. */
  List<ChainMatch.Entry> mainEntries();

  /** Likewise of the other. */
  List<ChainMatch.Entry> sniffEntries();

  /** By which the chains go. */
  List<RouteConfiguration> routes();

  /** Those whose clusters the chains lead to. */
  Set<Backend> backends();
}
