package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.api.AccessLogFormat;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.DefaultProviders;
import dev.ambit.api.ExtensionProvider;
import dev.ambit.api.FileAccessLog;
import dev.ambit.api.OtlpAccessLog;
import dev.ambit.api.OtlpHttp;
import dev.ambit.api.OtlpTracing;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The mesh's providers of telemetry, and those that every mesh has. */
public final class Providers {
  /** Istio's name for access logs on the container's output. */
  static final String ENVOY = "envoy";

  /** Istio's name for metrics that are scraped. */
  static final String PROMETHEUS = "prometheus";

  static final Set<Class<? extends Provider>> LOGS =
      Set.of(Provider.FileLog.class, Provider.CollectorLog.class);
  static final Set<Class<? extends Provider>> TRACES = Set.of(Provider.Tracer.class);
  static final Set<Class<? extends Provider>> METRICS = Set.of(Provider.Scraped.class);

  private final Map<String, Provider> byName = new LinkedHashMap<>();

  /** Those of the mesh, the first of a name, before those that every mesh has. */
  Providers(List<Provider> declared) {
    declared.forEach(provider -> byName.putIfAbsent(provider.name(), provider));
    byName.putIfAbsent(ENVOY, new Provider.FileLog(ENVOY, "/dev/stdout", LogFormat.ISTIO));
    byName.putIfAbsent(PROMETHEUS, new Provider.Scraped(PROMETHEUS));
  }

  /** The AmbientMesh's. */
  public static Providers of(List<ExtensionProvider> declared) {
    return new Providers(
        declared.stream().map(Providers::provider).flatMap(Optional::stream).toList());
  }

  private static Optional<Provider> provider(ExtensionProvider declared) {
    String name = declared.name();
    FileAccessLog file = declared.envoyFileAccessLog();
    if (file != null) {
      return Optional.of(
          new Provider.FileLog(name, file.path(), format(file.logFormat(), LogFormat.ISTIO)));
    }
    OtlpAccessLog logs = declared.envoyOtelAls();
    if (logs != null) {
      AccessLogFormat format = logs.logFormat();
      return Optional.of(
          new Provider.CollectorLog(
              name,
              new Provider.Collector(logs.service(), logs.port()),
              logs.logName(),
              format == null || format.text() == null
                  ? LogFormat.ISTIO
                  : format(new AccessLogFormat(format.text(), null), LogFormat.ISTIO),
              format == null || (format.labels() == null && format.text() == null)
                  ? LogFields.REQUESTS
                  : fields(format.labels())));
    }
    OtlpTracing spans = declared.opentelemetry();
    return spans == null
        ? Optional.empty()
        : Optional.of(
            new Provider.Tracer(
                name,
                new Provider.Collector(spans.service(), spans.port()),
                Optional.ofNullable(spans.http()).map(OtlpHttp::path),
                spans.maxTagLength()));
  }

  /** What is written where Envoy would not take what is asked for. */
  private static LogFormat format(@Nullable AccessLogFormat asked, LogFormat otherwise) {
    if (asked == null) {
      return otherwise;
    }
    String text = asked.text();
    if (text != null) {
      return FormatString.problem(text).isEmpty() ? new LogFormat.Text(text) : otherwise;
    }
    return asked.labels() == null ? otherwise : new LogFormat.Json(fields(asked.labels()));
  }

  private static Map<String, String> fields(@Nullable Map<String, String> asked) {
    if (asked == null) {
      return Map.of();
    }
    if (asked.isEmpty()) {
      return LogFields.REQUESTS;
    }
    Map<String, String> fields = new TreeMap<>(asked);
    fields.values().removeIf(format -> FormatString.problem(format).isPresent());
    return fields;
  }

  /** What of the AmbientMesh's providers is not done as written, for a person. */
  public static List<String> findings(AmbientMeshSpec mesh) {
    List<String> findings = new ArrayList<>();
    formats(mesh.extensionProviders(), findings);
    Providers providers = of(mesh.extensionProviders());
    DefaultProviders defaults = mesh.defaultProviders();
    providers.defaults("accessLogging", defaults.accessLogging(), LOGS, findings);
    providers.defaults("tracing", defaults.tracing(), TRACES, findings);
    providers.defaults("metrics", defaults.metrics(), METRICS, findings);
    return findings;
  }

  private void defaults(
      String field,
      List<String> names,
      Set<Class<? extends Provider>> kinds,
      List<String> findings) {
    for (String name : names) {
      Provider provider = byName.get(name);
      if (provider == null) {
        findings.add("spec.defaultProviders." + field + ": the mesh has no provider " + name);
      } else if (!kinds.contains(provider.getClass())) {
        findings.add(
            "spec.defaultProviders." + field + ": the provider " + name + " is not for this");
      }
    }
  }

  private static void formats(List<ExtensionProvider> declared, List<String> findings) {
    for (ExtensionProvider provider : declared) {
      AccessLogFormat format =
          provider.envoyFileAccessLog() != null
              ? provider.envoyFileAccessLog().logFormat()
              : provider.envoyOtelAls() != null ? provider.envoyOtelAls().logFormat() : null;
      if (format == null) {
        continue;
      }
      String path = "spec.extensionProviders[" + provider.name() + "].logFormat";
      if (format.text() != null) {
        FormatString.problem(format.text())
            .ifPresent(
                problem ->
                    findings.add(path + ".text: " + problem + ", so Istio's line is written"));
      }
      if (format.labels() != null) {
        new TreeMap<>(format.labels())
            .forEach(
                (label, value) ->
                    FormatString.problem(value)
                        .ifPresent(
                            problem ->
                                findings.add(
                                    path
                                        + ".labels["
                                        + label
                                        + "]: "
                                        + problem
                                        + ", so it is left out")));
      }
    }
  }

  Optional<Provider> named(String name) {
    return Optional.ofNullable(byName.get(name));
  }

  boolean isScraped(String name) {
    return byName.get(name) instanceof Provider.Scraped;
  }

  Optional<Provider.Tracer> tracer(String name) {
    return byName.get(name) instanceof Provider.Tracer tracer
        ? Optional.of(tracer)
        : Optional.empty();
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Providers providers && byName.equals(providers.byName);
  }

  @Override
  public int hashCode() {
    return byName.hashCode();
  }
}
