package dev.ambit.ztunnel;

import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.zds.PodObserver;
import java.util.List;

/** Passes what happens to pods on to several observers. */
record PodObservers(List<PodObserver> observers) implements PodObserver {
  @Override
  public void added(LocalPod pod) {
    observers.forEach(observer -> observer.added(pod));
  }

  @Override
  public void removed(LocalPod pod) {
    observers.forEach(observer -> observer.removed(pod));
  }

  @Override
  public void started(LocalPod pod) {
    observers.forEach(observer -> observer.started(pod));
  }

  @Override
  public void stopped(LocalPod pod) {
    observers.forEach(observer -> observer.stopped(pod));
  }
}
