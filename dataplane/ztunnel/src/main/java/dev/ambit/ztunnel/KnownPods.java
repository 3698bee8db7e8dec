package dev.ambit.ztunnel;

import dev.ambit.ztunnel.certificate.CertificateCache;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshStore;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.TunnelProtocol;
import dev.ambit.ztunnel.zds.PodFacts;

/** Pods as the control plane and the certificate authority have them. */
record KnownPods(MeshStore mesh, CertificateCache certificates) implements PodFacts {
  @Override
  public String uncertified(LocalPod pod) {
    MeshWorkload workload = mesh.known(pod);
    return workload == null
        ? "the control plane has not told of the pod"
        : certificates.missing(workload.identity());
  }

  @Override
  public String expectsTunnels(LocalPod pod) {
    MeshWorkload workload = mesh.known(pod);
    return workload == null || workload.tunnelProtocol() == TunnelProtocol.NONE
        ? ""
        : "the control plane has not told that the pod leaves";
  }
}
