package dev.ambit.ztunnel.netns;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReadWriteLock;

/**
 * The pods of one node that come and go: captured before they start, announced when they serve, and
 * later taken out of their service, drained and deleted, or gone all at once.
 */
final class SoakPods {
  private record Member(Pod pod, WorkloadResource workload, SoakServer server) {}

  private final Mesh mesh;
  private final MeshNode node;
  private final String name;
  private final ServiceResource service;
  private final SoakTarget target;
  private final ReadWriteLock outages;
  private final SoakLedger ledger;
  private final Deque<Member> members = new ArrayDeque<>();
  private final Deque<Future<?>> leaving = new ArrayDeque<>();
  private int departures;

  /**
   * @param outages read by changes that others have to hear of; written while they cannot
   */
  SoakPods(
      Mesh mesh,
      MeshNode node,
      ServiceResource service,
      SoakTarget target,
      ReadWriteLock outages,
      SoakLedger ledger) {
    this.mesh = mesh;
    this.node = node;
    this.name = service.name();
    this.service = service;
    this.target = target;
    this.outages = outages;
    this.ledger = ledger;
  }

  int size() {
    return members.size();
  }

  /** Starts a pod, has it make {@code firstCalls}, and makes it an endpoint. */
  void add(SoakTarget calls, int firstCalls, CountDownLatch over)
      throws IOException, InterruptedException {
    outages.readLock().lock();
    try {
      var pod = mesh.unknown(node, name);
      var workload = WorkloadResource.captured(pod).ofWorkload(name);
      mesh.controlPlane().announce(workload);
      node.agent().capture(pod);
      var server = SoakServer.start(pod);
      var serving = workload.endpointOf(service, SoakServer.PORT);
      members.addLast(new Member(pod, serving, server));
      for (int i = 0; i < firstCalls; i++) {
        ledger.make("first calls of a new pod", SoakCall.request(2000), pod, calls, over);
      }
      mesh.controlPlane().announce(serving);
      ledger.event("pods of " + name + " added");
    } finally {
      outages.readLock().unlock();
    }
  }

  /** Lets the oldest pod go as a good one goes: nobody may notice. */
  void retire(ExecutorService drains) {
    var member = members.removeFirst();
    outages.readLock().lock();
    try {
      // Both ways that a control plane has to say it.
      mesh.controlPlane()
          .announce(
              departures++ % 2 == 0
                  ? member.workload().unhealthy()
                  : WorkloadResource.captured(member.pod()).ofWorkload(name));
    } finally {
      outages.readLock().unlock();
    }
    leaving.addLast(drains.submit(() -> drainAndDelete(member)));
  }

  private Void drainAndDelete(Member member) throws IOException {
    target.awaitDecided();
    member.server().drain();
    org.awaitility.Awaitility.await("connections to " + member.pod() + " are over")
        .atMost(SoakCall.TIMEOUT.multipliedBy(3))
        .until(() -> member.server().open() == 0);
    outages.readLock().lock();
    try {
      delete(member);
    } finally {
      outages.readLock().unlock();
    }
    ledger.event("pods of " + name + " drained and deleted");
    return null;
  }

  /** Takes the oldest pod away without a word. */
  void lose() {
    var member = members.removeFirst();
    outages.readLock().lock();
    try {
      target.without(
          () -> {
            try {
              delete(member);
            } catch (IOException e) {
              throw new IllegalStateException("cannot take away " + member.pod(), e);
            }
          });
      ledger.event("pods of " + name + " lost");
    } finally {
      outages.readLock().unlock();
    }
  }

  private void delete(Member member) throws IOException {
    member.server().close();
    node.agent().forget(member.pod());
    mesh.controlPlane().withdraw(member.pod());
    member.pod().close();
  }

  /** Retires all and waits until they are gone. */
  void end() throws InterruptedException, ExecutionException {
    try (var drains = Executors.newCachedThreadPool()) {
      while (!members.isEmpty()) {
        retire(drains);
      }
      while (!leaving.isEmpty()) {
        leaving.removeFirst().get();
      }
    }
  }

  /** Has pods come and go, one of either each time, until {@code over} opens. */
  void churn(SoakTarget calls, int most, ExecutorService drains, CountDownLatch over)
      throws IOException, InterruptedException {
    while (!over.await(500, TimeUnit.MILLISECONDS)) {
      if (members.size() < most) {
        add(calls, 3, over);
      } else {
        retire(drains);
      }
    }
  }
}
