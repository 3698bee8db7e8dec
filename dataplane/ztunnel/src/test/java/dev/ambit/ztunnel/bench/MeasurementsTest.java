package dev.ambit.ztunnel.bench;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** What becomes of figures once they are measured. */
class MeasurementsTest {
  /** Three rounds in which the machine gets slower, for both alike. */
  private static Measurements threeRounds() {
    var measurements = new Measurements();
    double[] speed = {4, 2, 1};
    for (int round = 1; round <= 3; round++) {
      double pace = speed[round - 1];
      measurements.add(Metric.REQUESTS_64, Subject.NONE, round, 80_000 * pace);
      measurements.add(Metric.REQUESTS_64, Subject.AMBIT, round, (30_000 + 1000 * round) * pace);
      measurements.add(Metric.REQUESTS_64, Subject.PEER, round, 20_000 * pace);
      measurements.add(Metric.START, Subject.AMBIT, round, 900);
      measurements.add(Metric.START, Subject.AMBIT, round, 1900);
    }
    return measurements;
  }

  @Test
  void ratiosAreMadeWithinEachRound() {
    var ratio = threeRounds().ratio(Metric.REQUESTS_64, Subject.AMBIT, Subject.PEER).orElseThrow();
    assertThat(ratio).isEqualTo(new Measurements.Spread(1.6, 1.55, 1.65));
  }

  @Test
  void severalFiguresOfARoundCountAsOne() {
    var start = threeRounds().spread(Metric.START, Subject.AMBIT).orElseThrow();
    assertThat(start).isEqualTo(new Measurements.Spread(1400, 1400, 1400));
  }

  @Test
  void theTableSaysWhichGoalsAreMetAndWhichAreMissed() {
    var measurements = threeRounds();
    measurements.error("round 1, ambit, REQUESTS_64: 7 requests failed");
    assertThat(new Report(measurements).markdown())
        .contains("| 64 connections, requests/s | 160,000 | 64,000 | 40,000 | 1.60 (1.55–1.65) |")
        .contains("≥ 1.6 × peer, met")
        .contains("| 1,400 |")
        .contains("≤ 1,000, **missed**")
        .contains("7 requests failed");
  }

  @Test
  void goalsBesideNoProxyAreJudgedWithinEachRound() {
    var measurements = new Measurements();
    for (int round = 1; round <= 3; round++) {
      measurements.add(Metric.UDP_RATE, Subject.NONE, round, 100_000 * round);
      measurements.add(Metric.UDP_RATE, Subject.AMBIT, round, 60_000 * round);
      measurements.add(Metric.UDP_P99, Subject.NONE, round, 100 * round);
      measurements.add(Metric.UDP_P99, Subject.AMBIT, round, 100 * round + 600);
    }
    measurements.add(Metric.UDP_LOSS, Subject.AMBIT, 1, 0);
    assertThat(measurements.difference(Metric.UDP_P99, Subject.AMBIT, Subject.NONE))
        .contains(new Measurements.Spread(600, 600, 600));
    assertThat(new Report(measurements).markdown())
        .contains("| 0.60 (0.60–0.60) | ≥ 0.5 × no proxy, met |")
        .contains("≤ 500 more than no proxy, **missed**")
        .contains("| UDP at half of that rate, loss, % |  | 0.000 |  |  |  | ≤ 0.000, met |");
  }

  @Test
  void withoutAPeerNoGoalThatNeedsOneIsJudged() {
    var measurements = new Measurements();
    measurements.add(Metric.REQUESTS_1, Subject.NONE, 1, 100);
    measurements.add(Metric.REQUESTS_1, Subject.AMBIT, 1, 50);
    assertThat(new Report(measurements).markdown())
        .contains(
            "| 1 connection, requests/s | 100 | 50.0 |  |  | 0.50 (0.50–0.50) | ≥ 1.0 × peer |")
        .contains("No request, connection or stream failed.");
  }

  @Test
  void resultsThatWereWrittenCanBeJoinedWithLaterOnes(@TempDir Path folder) throws IOException {
    var first = threeRounds();
    first.error("something");
    ResultsFile.write(folder, first);

    var joined = new Measurements();
    joined.addAll(ResultsFile.read(folder));
    joined.addAll(ResultsFile.read(folder));

    assertThat(joined.rounds()).isEqualTo(6);
    assertThat(joined.errors()).containsExactly("something", "something");
    assertThat(joined.samples().subList(0, first.samples().size())).isEqualTo(first.samples());
    assertThat(joined.ratio(Metric.REQUESTS_64, Subject.AMBIT, Subject.PEER))
        .contains(new Measurements.Spread(1.6, 1.55, 1.65));
  }

  @Test
  void theChartIsXmlWithABarForEachSubject()
      throws ParserConfigurationException, IOException, SAXException {
    var svg = new Chart(threeRounds()).svg();
    var document =
        DocumentBuilderFactory.newInstance()
            .newDocumentBuilder()
            .parse(new InputSource(new StringReader(svg)));
    // The background, three in the legend, three for the requests and one for the start.
    assertThat(document.getElementsByTagName("rect").getLength()).isEqualTo(8);
    assertThat(svg).contains(">64 connections, requests/s<").contains(">160,000<");
  }
}
