package dev.ambit.ztunnel;

import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.xds.OnDemand;
import dev.ambit.ztunnel.zds.PodObserver;

/** Has the pods of this node asked for, where the control plane does not send everything. */
record PodDemand(OnDemand demand, String clusterId) implements PodObserver {
  @Override
  public void added(LocalPod pod) {
    demand.hold(uid(pod));
  }

  @Override
  public void removed(LocalPod pod) {
    demand.release(uid(pod));
  }

  private String uid(LocalPod pod) {
    return clusterId + "//Pod/" + pod.namespace() + "/" + pod.name();
  }

  @Override
  public void started(LocalPod pod) {}

  @Override
  public void stopped(LocalPod pod) {}
}
