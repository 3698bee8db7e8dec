package dev.ambit.ztunnel.state;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.ambit.ztunnel.testing.LargeMesh;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * A mesh of 100,000 workloads and 10,000 services fits, and a change of one costs what one does.
 */
class LargeMeshTest {
  private static final LargeMesh LARGE = new LargeMesh(10_000, 10);

  /** Heap for each workload, its share of the services and indexes included. */
  private static final long BYTES_PER_WORKLOAD = 1_400;

  /** What taking one changed workload may allocate: nothing that grows with the mesh. */
  private static final long BYTES_PER_CHANGE = 16 << 10;

  private final MeshStore store = new MeshStore();
  private final Router router = new Router(store, "", Set.of());

  private void load() {
    List<MeshWorkload> workloads = new ArrayList<>(LARGE.workloads());
    for (int i = 0; i < LARGE.workloads(); i++) {
      workloads.add(MeshWorkload.of(LARGE.workload(i)));
    }
    List<MeshService> services = new ArrayList<>(LARGE.services());
    for (int i = 0; i < LARGE.services(); i++) {
      services.add(MeshService.of(LARGE.service(i)));
    }
    store.apply(workloads, services, List.of());
  }

  @Test
  void fitsIntoTheHeapAndTakesChangesOneByOne() {
    long before = usedHeap();
    long begin = System.nanoTime();
    load();
    System.out.printf("a large mesh is loaded in %d ms%n", (System.nanoTime() - begin) / 1_000_000);
    long perWorkload = (usedHeap() - before) / LARGE.workloads();
    System.out.println("heap bytes of a workload in a large mesh: " + perWorkload);
    assertThat(perWorkload).isLessThan(BYTES_PER_WORKLOAD);
    assertThat(store.workloads()).hasSize(LARGE.workloads());

    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    MeshWorkload caller = MeshWorkload.of(LARGE.workload(0));
    int changes = 1_000;
    long allocated = 0;
    for (int i = 0; i < changes; i++) {
      MeshWorkload changed = MeshWorkload.of(LARGE.workload(i * 97, "v" + i));
      long start = threads.getCurrentThreadAllocatedBytes();
      store.apply(List.of(changed), List.of(), List.of());
      allocated += threads.getCurrentThreadAllocatedBytes() - start;
      var route =
          (OutboundRoute.Tunnel)
              router.route(caller, new InetSocketAddress(LargeMesh.address(i * 97), 80));
      assertThat(route.destination().workload()).isSameAs(changed);
    }
    System.out.printf("heap bytes to take a changed workload: %d%n", allocated / changes);
    assertThat(allocated / changes).isLessThan(BYTES_PER_CHANGE);
  }

  private static long usedHeap() {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 4; i++) {
      System.gc();
      Runtime runtime = Runtime.getRuntime();
      least = Math.min(least, runtime.totalMemory() - runtime.freeMemory());
    }
    return least;
  }
}
