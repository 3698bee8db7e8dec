package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.certificate.Certificates;
import dev.ambit.ztunnel.policy.Authorizer;
import dev.ambit.ztunnel.state.MeshState;
import dev.ambit.ztunnel.telemetry.ConnectionLog;

/** What connections are proxied by: routes, policies, certificates; and where they are noted. */
public record Mesh(
    MeshState state,
    Authorizer authorizer,
    Certificates certificates,
    PeerTrust trust,
    ConnectionLog log) {}
