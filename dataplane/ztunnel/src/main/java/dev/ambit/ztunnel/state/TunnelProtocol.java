package dev.ambit.ztunnel.state;

/** How a workload is reached. */
public enum TunnelProtocol {
  /** By plain TCP. */
  NONE,
  /** Through HTTP CONNECT over mutual TLS at its port 15008. */
  HBONE
}
