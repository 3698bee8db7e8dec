package dev.ambit.ztunnel.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What wrk and iperf3 print is read right. */
class LoadGeneratorsTest {
  private static final String WRK =
      """
      Running 3s test @ http://10.2.0.10:8080/
        1 threads and 64 connections
        Thread Stats   Avg      Stdev     Max   +/- Stdev
          Latency     2.61ms    1.21ms  27.05ms   91.75%
          Req/Sec    24.72k     2.90k   28.61k    80.00%
        Latency Distribution
           50%  850.00us
           75%    2.90ms
           90%    3.55ms
           99%    1.07s
        73954 requests in 3.00s, 79.83MB read
      Requests/sec:  24620.53
      Transfer/sec:     26.58MB
      """;

  @Test
  void whatWrkFoundIsRead() {
    var found = Wrk.parse(WRK);
    assertThat(found.perSecond()).isEqualTo(24620.53);
    assertThat(found.requests()).isEqualTo(73954);
    assertThat(found.p50Micros()).isEqualTo(850);
    assertThat(found.p99Micros()).isEqualTo(1_070_000);
    assertThat(found.error()).isEmpty();
  }

  @Test
  void whatFailedIsSaid() {
    var output =
        WRK
            + """
                Socket errors: connect 0, read 12, write 0, timeout 3
                Non-2xx or 3xx responses: 4
              """;
    assertThat(Wrk.parse(output).error())
        .hasValueSatisfying(
            what ->
                assertThat(what)
                    .contains("read 12, write 0, timeout 3")
                    .contains("Non-2xx or 3xx responses: 4"));
  }

  @Test
  void whatIperfFoundIsRead() {
    var found =
        Iperf.parse(
            """
            {"start": {"version": "iperf 3.12"},
             "end": {"sum_sent": {"bytes": 1, "bits_per_second": 2},
                     "sum_received": {"bytes": 3000000000, "bits_per_second": 4.5e9}}}
            """);
    assertThat(found).isEqualTo(new Iperf(4.5, 3));
  }

  @Test
  void whatIperfFoundOfDatagramsIsRead() {
    var found =
        UdpIperf.parse(
            """
            {"start": {"version": "iperf 3.12"},
             "end": {"sum_sent": {"seconds": 2, "bytes": 280000000, "packets": 200000},
                     "sum_received": {"seconds": 2.1, "bytes": 210000000, "packets": 151000,
                                      "lost_packets": 1000}}}
            """);
    assertThat(found).isEqualTo(new UdpIperf(2, 200_000, 150_000));
    assertThat(found.perSecond()).isEqualTo(75_000);
    assertThat(found.gigabitsPerSecond()).isEqualTo(0.84);
    assertThat(found.lossPercent()).isEqualTo(25);
    assertThatThrownBy(() -> UdpIperf.parse("{\"error\": \"unable to connect to server\"}"))
        .hasMessageContaining("unable to connect to server");
  }

  @Test
  void iperfsOwnErrorIsPassedOn() {
    assertThatThrownBy(() -> Iperf.parse("{\"error\": \"unable to connect to server\"}"))
        .hasMessageContaining("unable to connect to server");
  }
}
