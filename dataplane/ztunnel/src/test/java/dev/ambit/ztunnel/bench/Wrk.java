package dev.ambit.ztunnel.bench;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What the load generator {@code wrk} found: a closed loop, in which each connection asks again as
 * soon as it is answered.
 *
 * @param error what failed among the requests, if anything
 */
record Wrk(
    double perSecond, long requests, double p50Micros, double p99Micros, Optional<String> error) {
  private static final Pattern RATE = Pattern.compile("Requests/sec:\\s+([\\d.]+)");
  private static final Pattern REQUESTS = Pattern.compile("(\\d+) requests in ");
  private static final Pattern ERRORS =
      Pattern.compile("(Socket errors: .*|Non-2xx or 3xx responses: .*)");

  static List<String> command(int connections, int seconds, String address, int port) {
    return List.of(
        "wrk",
        "-t1",
        "-c" + connections,
        "-d" + seconds + "s",
        "--timeout",
        "5s",
        "--latency",
        "http://" + address + ":" + port + "/");
  }

  static Wrk parse(String output) {
    return new Wrk(
        Double.parseDouble(find(RATE, output)),
        Long.parseLong(find(REQUESTS, output)),
        percentile(output, 50),
        percentile(output, 99),
        ERRORS
            .matcher(output)
            .results()
            .map(found -> found.group(1))
            .reduce((a, b) -> a + "; " + b));
  }

  private static double percentile(String output, int percent) {
    var pattern = Pattern.compile("(?m)^\\s+" + percent + "%\\s+([\\d.]+)(us|ms|s|m) *$");
    var matcher = pattern.matcher(output);
    if (!matcher.find()) {
      throw new IllegalStateException("wrk says no " + percent + "th percentile:\n" + output);
    }
    double unit =
        switch (matcher.group(2)) {
          case "us" -> 1;
          case "ms" -> 1e3;
          case "s" -> 1e6;
          default -> 60e6;
        };
    return Double.parseDouble(matcher.group(1)) * unit;
  }

  private static String find(Pattern pattern, String output) {
    var matcher = pattern.matcher(output);
    if (!matcher.find()) {
      throw new IllegalStateException("wrk does not say " + pattern + ":\n" + output);
    }
    return matcher.group(1);
  }
}
