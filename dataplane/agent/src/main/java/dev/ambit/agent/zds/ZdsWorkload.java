package dev.ambit.agent.zds;

import dev.ambit.agent.pods.PodNetwork;

/** A captured pod as the ztunnel is told of it. */
public record ZdsWorkload(
    String uid, String name, String namespace, String serviceAccount, PodNetwork network) {}
