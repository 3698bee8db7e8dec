package dev.ambit.operator.enrollment.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.api.PlaintextSender;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What one ztunnel has seen of plaintext to one namespace's pods since it runs. Times are the
 * operator's, made of the ages that the ztunnel tells.
 *
 * @param instance tells this run of the ztunnel from every other
 * @param pods that it serves, by UID
 * @param last when plaintext was last heard of; null where none has been
 * @param connections all of them, also of senders that are not kept
 */
public record PlaintextReport(
    String instance,
    Map<String, Watched> pods,
    @Nullable Instant last,
    long connections,
    List<PlaintextSender> senders) {

  public PlaintextReport {
    pods = Map.copyOf(pods);
    senders = List.copyOf(senders);
  }

  /**
   * Since when it sees all that comes to a pod.
   *
   * @param from by the clock of the pod's node, which is the kubelet's too
   * @param since by the operator's clock
   * @param datagrams whether it sees plain datagrams as well
   */
  public record Watched(Instant from, Instant since, boolean datagrams) {}

  /**
   * Reads what a ztunnel answers, by namespace.
   *
   * @param at when it answered
   * @throws IllegalArgumentException if it is not what a ztunnel writes
   */
  public static Map<String, PlaintextReport> read(JsonNode ledger, Instant at) {
    String instance = text(ledger, "instance");
    Map<String, PlaintextReport> reports = new HashMap<>();
    if (!ledger.path("namespaces").isArray()) {
      throw new IllegalArgumentException("it lists no namespaces");
    }
    for (JsonNode namespace : ledger.get("namespaces")) {
      Map<String, Watched> pods = new HashMap<>();
      for (JsonNode pod : namespace.path("pods")) {
        pods.put(
            text(pod, "uid"),
            new Watched(
                instant(text(pod, "since")),
                at.minusMillis(number(pod, "watchedMillis")),
                pod.path("datagrams").asBoolean()));
      }
      List<PlaintextSender> senders = new ArrayList<>();
      for (JsonNode sender : namespace.path("senders")) {
        senders.add(sender(sender, at));
      }
      reports.put(
          text(namespace, "namespace"),
          new PlaintextReport(
              instance,
              pods,
              last(namespace, at).orElse(null),
              number(namespace, "connections"),
              senders));
    }
    return reports;
  }

  /** The run of the ztunnel that wrote a ledger. */
  public static String instance(JsonNode ledger) {
    return text(ledger, "instance");
  }

  private static PlaintextSender sender(JsonNode sender, Instant at) {
    String workload = sender.path("workload").asText();
    boolean udp = "udp".equals(sender.path("protocol").asText());
    return new PlaintextSender(
        workload.isEmpty()
            ? text(sender, "address")
            : sender.path("kind").asText("pod")
                + " "
                + sender.path("namespace").asText()
                + "/"
                + workload,
        sender.path("destination").asText(),
        sender.path("port").asInt(),
        udp ? "udp" : "tcp",
        number(sender, "connections"),
        number(sender, "open"),
        udp ? null : number(sender, "bytes"),
        last(sender, at).orElse(at).truncatedTo(ChronoUnit.SECONDS).toString());
  }

  private static Optional<Instant> last(JsonNode of, Instant at) {
    return of.hasNonNull("agoMillis")
        ? Optional.of(at.minus(Duration.ofMillis(number(of, "agoMillis"))))
        : Optional.empty();
  }

  private static String text(JsonNode of, String name) {
    String text = of.path(name).asText();
    if (text.isEmpty()) {
      throw new IllegalArgumentException("it has no " + name);
    }
    return text;
  }

  private static long number(JsonNode of, String name) {
    JsonNode value = of.path(name);
    if (!value.canConvertToLong() || value.asLong() < 0) {
      throw new IllegalArgumentException(name + " is no number of 0 or more");
    }
    return value.asLong();
  }

  private static Instant instant(String text) {
    try {
      return Instant.parse(text);
    } catch (DateTimeParseException e) {
      throw new IllegalArgumentException(text + " is no time", e);
    }
  }
}
