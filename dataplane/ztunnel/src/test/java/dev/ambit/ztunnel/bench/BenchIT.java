package dev.ambit.ztunnel.bench;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.netns.MeasuredMesh;
import java.io.IOException;
import java.nio.file.Path;
import java.util.EnumSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The measurement itself works: how fast anything is, is not judged here. */
@Timeout(240)
class BenchIT {
  @Test
  void eachStepGivesItsFigures(@TempDir Path folder) throws IOException {
    MeasuredMesh.require("wrk", "iperf3");
    var measurements = new Measurements();
    var steps = EnumSet.of(Step.IDLE, Step.REQUESTS_64, Step.STREAM_1);

    Bench.measure(new BenchSettings(1, 1, 4, steps, folder), measurements);

    for (var metric :
        new Metric[] {
          Metric.START,
          Metric.IDLE_RSS,
          Metric.IDLE_PSS,
          Metric.IDLE_CONNECTION,
          Metric.REQUESTS_64,
          Metric.REQUESTS_64_CPU,
          Metric.STREAM_1,
          Metric.STREAM_1_REVERSE_CPU,
          Metric.LOADED_RSS
        }) {
      assertThat(measurements.spread(metric, Subject.AMBIT)).as("%s", metric).isPresent();
    }
    assertThat(measurements.ratio(Metric.REQUESTS_64, Subject.AMBIT, Subject.NONE)).isPresent();
    assertThat(folder).isEmptyDirectory();
  }
}
