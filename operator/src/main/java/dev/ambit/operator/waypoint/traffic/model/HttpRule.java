package dev.ambit.operator.waypoint.traffic.model;

import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRoute;

/**
 * A rule for requests, with what it has from a VirtualService that delegates to its own.
 *
 * @param namespace of the VirtualService that it is written in
 * @param path of it there
 * @param findings of that VirtualService
 */
record HttpRule(HTTPRoute spec, String namespace, String path, Findings findings) {}
