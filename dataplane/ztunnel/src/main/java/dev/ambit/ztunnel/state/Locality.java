package dev.ambit.ztunnel.state;

/** Where a workload runs; empty parts are not known. */
public record Locality(String region, String zone, String subzone) {}
