package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.telemetry.FlowLog;

/**
 * What UDP is carried with.
 *
 * @param settings bounds
 * @param log where flows are noted
 * @param rules what leads datagrams here, in each pod
 */
public record Datagrams(FlowSettings settings, FlowLog log, DatagramRules rules) {}
