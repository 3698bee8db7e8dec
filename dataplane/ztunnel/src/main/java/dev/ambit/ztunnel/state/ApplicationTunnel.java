package dev.ambit.ztunnel.state;

/**
 * How a workload wants tunnelled connections handed to it.
 *
 * @param proxyProtocol whether a PROXY protocol v2 header precedes the bytes
 * @param port the workload's port for such connections; 0: the port that was asked for
 */
public record ApplicationTunnel(boolean proxyProtocol, int port) {}
