package dev.ambit.ztunnel.state;

/**
 * Where a port of a service leads.
 *
 * @param servicePort the service's port
 * @param targetPort the workload's port; of a service, 0 stands for a named port, which each
 *     endpoint maps itself
 */
public record PortMapping(int servicePort, int targetPort) {}
