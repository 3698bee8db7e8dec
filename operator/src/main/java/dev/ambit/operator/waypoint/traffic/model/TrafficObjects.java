package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.networking.v1.DestinationRule;
import io.fabric8.istio.api.networking.v1.VirtualService;
import java.util.Collection;

/** Istio's objects that say where traffic goes and how, of all namespaces, in any order. */
public record TrafficObjects(
    Collection<VirtualService> virtualServices, Collection<DestinationRule> destinationRules) {}
