package dev.ambit.operator.model;

import dev.ambit.protocol.workload.AppProtocol;
import io.fabric8.kubernetes.api.model.ServicePort;

/** Whether a port of a Service says what is spoken there, in words that the mesh knows. */
public final class DeclaredProtocol {
  private DeclaredProtocol() {}

  /** By its {@code appProtocol}, or else the beginning of its name. */
  public static boolean isKnown(ServicePort port) {
    return ServicePorts.appProtocol(port) != AppProtocol.UNKNOWN;
  }
}
