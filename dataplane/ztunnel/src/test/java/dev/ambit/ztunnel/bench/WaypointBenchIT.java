package dev.ambit.ztunnel.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.testing.EnvoyBinary;
import dev.ambit.ztunnel.netns.MeasuredMesh;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The measurement of waypoints itself works: how fast anything is, is not judged here. */
@Timeout(600)
class WaypointBenchIT {
  @Test
  void eachPartGivesItsFigures(@TempDir Path folder) throws Exception {
    MeasuredMesh.require("wrk");
    EnvoyBinary.require();

    var report = WaypointBench.measure(new BenchSettings(1, 1, 1, Set.of(), folder), 2);

    assertThat(report.markdown())
        .contains(
            "| 1 connection, median, µs |",
            "| 64 connections, requests/s for a core of the waypoint |",
            "| 1,000 requests/s, CPU of the waypoint, cores |",
            "| a changed route in effect with 2 services, ms |",
            "| memory of the waypoint with 2 services (RSS), MiB |",
            "| heap of the operator's control plane with 2 services, MiB |");
  }
}
