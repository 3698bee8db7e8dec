package dev.ambit.ztunnel.zds;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.ztunnel.state.LocalPod;
import java.time.Duration;
import java.util.concurrent.CompletionStage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The one pod whose network namespace the ztunnel itself runs in. There is no node agent. */
public final class DedicatedPod implements PodSource {
  private static final Logger log = LoggerFactory.getLogger(DedicatedPod.class);

  private final LocalPod pod;
  private final PodRegistry pods;
  private volatile boolean handedOver;

  public DedicatedPod(LocalPod pod, PodRegistry pods) {
    this.pod = pod;
    this.pods = pods;
  }

  @Override
  public void start() {
    NetworkNamespace own;
    try {
      own = NetworkNamespace.open("/proc/self/ns/net");
    } catch (LinuxException e) {
      throw new IllegalStateException("cannot open the own network namespace", e);
    }
    handedOver = true;
    // Where it fails the registry says so, and tries again.
    pods.add(pod, own)
        .whenComplete(
            (served, failure) -> {
              if (failure != null) {
                log.atDebug().addKeyValue("pod", pod.name()).setCause(failure).log("not served");
              }
            });
  }

  @Override
  public boolean hasSnapshot() {
    return handedOver;
  }

  @Override
  public CompletionStage<Void> drain(Duration deadline) {
    return pods.drainAll(deadline);
  }
}
