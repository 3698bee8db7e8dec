package dev.ambit.operator.waypoint.telemetry.model;

import io.fabric8.istio.api.api.telemetry.v1alpha1.AccessLogging;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricSelector;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricSelectorCustomMetric;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricSelectorIstioMetric;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricSelectorMetric;
import io.fabric8.istio.api.api.telemetry.v1alpha1.Metrics;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricsOverrides;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricsOverridesTagOverride;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricsOverridesTagOverrideOperation;
import io.fabric8.istio.api.api.telemetry.v1alpha1.ProviderRef;
import io.fabric8.istio.api.api.telemetry.v1alpha1.Tracing;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTag;
import io.fabric8.istio.api.api.telemetry.v1alpha1.WorkloadMode;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What is counted, logged and traced where several Telemetry objects are for the same: as in Istio,
 * a narrower one changes what it names and leaves the rest of a wider one.
 *
 * @param logs by their providers' names
 */
record Policy(MetricChoice metrics, Map<String, Log> logs, Optional<Trace> trace) {
  /** Istio's. */
  static final double DEFAULT_SAMPLING = 1;

  private static final Pattern LABEL = Pattern.compile("[a-zA-Z_][a-zA-Z0-9_]*");

  /** Which entries a provider gets: all, without an expression of CEL. */
  record Log(Optional<String> expression) {}

  /**
   * How requests are traced.
   *
   * @param provider its name
   * @param sampled percentage of those that nobody has decided on before
   */
  record Trace(
      String provider, double sampled, boolean byRequestId, Map<String, TracingCustomTag> tags) {}

  /** What objects of that order come to, from the widest to the narrowest. */
  static Policy of(Defaults defaults, Providers providers, List<Telemetry> objects) {
    return new Policy(
        metrics(defaults, providers, objects),
        logs(defaults, objects),
        trace(defaults, providers, objects));
  }

  private static MetricChoice metrics(
      Defaults defaults, Providers providers, List<Telemetry> objects) {
    List<String> named = defaults.metrics();
    MetricChoice choice = MetricChoice.ALL;
    for (Telemetry object : objects) {
      List<Metrics> entries = Lists.of(object.getSpec().getMetrics());
      List<String> own =
          entries.stream().flatMap(entry -> names(entry.getProviders()).stream()).toList();
      if (!own.isEmpty()) {
        named = own;
      }
      for (Metrics entry : entries) {
        for (MetricsOverrides override : Lists.of(entry.getOverrides())) {
          choice = overridden(choice, override);
        }
      }
    }
    return named.stream().anyMatch(providers::isScraped) ? choice : MetricChoice.NONE;
  }

  private static MetricChoice overridden(MetricChoice before, MetricsOverrides override) {
    MetricSelector match = override.getMatch();
    if (match != null && !isServer(match.getMode())) {
      return before;
    }
    MetricChoice choice = before;
    for (Metric metric : selected(match)) {
      if (override.getDisabled() != null) {
        choice = choice.with(metric, !override.getDisabled());
      }
      Map<String, MetricsOverridesTagOverride> tags = override.getTagOverrides();
      for (Map.Entry<String, MetricsOverridesTagOverride> tag :
          new TreeMap<>(tags == null ? Map.of() : tags).entrySet()) {
        if (problem(tag.getKey(), tag.getValue()).isEmpty()) {
          choice =
              choice.with(
                  metric,
                  tag.getKey(),
                  removes(tag.getValue())
                      ? Optional.empty()
                      : Optional.of(Objects.requireNonNull(tag.getValue().getValue())));
        }
      }
    }
    return choice;
  }

  private static boolean removes(MetricsOverridesTagOverride tag) {
    return tag.getOperation() == MetricsOverridesTagOverrideOperation.REMOVE;
  }

  /** Why that change of a label is not made; empty where it is. */
  static Optional<String> problem(String label, @Nullable MetricsOverridesTagOverride tag) {
    if (!LABEL.matcher(label).matches()) {
      return Optional.of(label + " is not a label's name");
    }
    if (tag == null) {
      return Optional.of("it has neither an operation nor a value");
    }
    if (removes(tag)) {
      return Optional.empty();
    }
    if (tag.getValue() == null) {
      return Optional.of("there is no value");
    }
    // Where a command operator of a format ends.
    return tag.getValue().contains(")%")
        ? Optional.of("an expression with \")%\" in it cannot be passed on to Envoy")
        : Cel.problem(tag.getValue());
  }

  /** The metrics that are meant; none where it names one that waypoints do not have. */
  static Set<Metric> selected(@Nullable MetricSelector match) {
    return switch (match == null ? null : match.getMetricMatch()) {
      case MetricSelectorMetric standard
          when standard.getMetric() != null
              && standard.getMetric() != MetricSelectorIstioMetric.ALL_METRICS ->
          Metric.named(standard.getMetric().name()).map(Set::of).orElse(Set.of());
      case MetricSelectorCustomMetric custom ->
          Metric.named(Objects.requireNonNullElse(custom.getCustomMetric(), ""))
              .map(Set::of)
              .orElse(Set.of());
      case null, default -> Metric.all();
    };
  }

  /** A waypoint stands for the servers of what it counts and logs. */
  static boolean isServer(@Nullable WorkloadMode mode) {
    return mode != WorkloadMode.CLIENT;
  }

  private static Map<String, Log> logs(Defaults defaults, List<Telemetry> objects) {
    Map<String, Optional<Log>> logs = new LinkedHashMap<>();
    defaults
        .accessLogging()
        .forEach(name -> logs.put(name, Optional.of(new Log(Optional.empty()))));
    for (Telemetry object : objects) {
      List<AccessLogging> entries =
          Lists.of(object.getSpec().getAccessLogging()).stream()
              .filter(entry -> entry.getMatch() == null || isServer(entry.getMatch().getMode()))
              .toList();
      List<String> named =
          entries.stream().flatMap(entry -> names(entry.getProviders()).stream()).toList();
      if (!named.isEmpty()) {
        logs.keySet().retainAll(named);
      }
      for (AccessLogging entry : entries) {
        List<String> meant =
            names(entry.getProviders()).isEmpty()
                ? List.copyOf(logs.keySet())
                : names(entry.getProviders());
        meant.forEach(name -> logs.put(name, log(entry)));
      }
    }
    Map<String, Log> kept = new LinkedHashMap<>();
    logs.forEach((name, log) -> log.ifPresent(present -> kept.put(name, present)));
    return kept;
  }

  private static Optional<Log> log(AccessLogging entry) {
    if (Boolean.TRUE.equals(entry.getDisabled())) {
      return Optional.empty();
    }
    // Entries that nobody can tell apart are all logged, rather than none.
    return Optional.of(
        new Log(expression(entry).filter(expression -> Cel.problem(expression).isEmpty())));
  }

  /** Which entries are meant. */
  static Optional<String> expression(AccessLogging entry) {
    return entry.getFilter() == null
        ? Optional.empty()
        : Optional.ofNullable(entry.getFilter().getExpression());
  }

  private static Optional<Trace> trace(
      Defaults defaults, Providers providers, List<Telemetry> objects) {
    List<String> named = defaults.tracing();
    double sampled = DEFAULT_SAMPLING;
    boolean disabled = false;
    boolean byRequestId = true;
    Map<String, TracingCustomTag> tags = Map.of();
    for (Telemetry object : objects) {
      for (Tracing entry : Lists.of(object.getSpec().getTracing())) {
        if (entry.getMatch() != null && !isServer(entry.getMatch().getMode())) {
          continue;
        }
        named = names(entry.getProviders()).isEmpty() ? named : names(entry.getProviders());
        sampled =
            entry.getRandomSamplingPercentage() == null
                ? sampled
                : Math.clamp(entry.getRandomSamplingPercentage(), 0, 100);
        disabled =
            entry.getDisableSpanReporting() == null ? disabled : entry.getDisableSpanReporting();
        byRequestId =
            entry.getUseRequestIdForTraceSampling() == null
                ? byRequestId
                : entry.getUseRequestIdForTraceSampling();
        tags =
            entry.getCustomTags() == null || entry.getCustomTags().isEmpty()
                ? tags
                : entry.getCustomTags();
      }
    }
    if (disabled) {
      return Optional.empty();
    }
    double percentage = sampled;
    boolean decided = byRequestId;
    Map<String, TracingCustomTag> custom = new TreeMap<>(tags);
    // Envoy has one tracer for a chain.
    return named.stream()
        .filter(name -> providers.tracer(name).isPresent())
        .findFirst()
        .map(name -> new Trace(name, percentage, decided, custom));
  }

  static List<String> names(@Nullable List<ProviderRef> references) {
    List<String> names = new ArrayList<>();
    Lists.of(references).stream()
        .map(ProviderRef::getName)
        .filter(Objects::nonNull)
        .forEach(names::add);
    return names;
  }
}
