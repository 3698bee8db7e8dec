package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.model.ObjectCondition;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.ObjectReference;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.api.telemetry.v1alpha1.AccessLogging;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricSelector;
import io.fabric8.istio.api.api.telemetry.v1alpha1.Metrics;
import io.fabric8.istio.api.api.telemetry.v1alpha1.MetricsOverrides;
import io.fabric8.istio.api.api.telemetry.v1alpha1.ProviderRef;
import io.fabric8.istio.api.api.telemetry.v1alpha1.Tracing;
import io.fabric8.istio.api.api.telemetry.v1alpha1.TracingCustomTag;
import io.fabric8.istio.api.api.telemetry.v1alpha1.WorkloadMode;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReference;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What waypoints make of a Telemetry object.
 *
 * @param generation that this is about
 * @param message for a person
 */
public record TelemetryReport(
    ObjectReference object, long generation, Verdict verdict, String message) {
  private static final int MOST_LISTED = 20;

  /** For the object's status. */
  public ObjectCondition condition() {
    return new ObjectCondition(
            ObjectCondition.WAYPOINT_ACCEPTED, verdict.isAccepted(), verdict.reason(), message)
        .of(generation);
  }

  /** The short answer. */
  public enum Verdict {
    /** All of it is done. */
    ACCEPTED(true, "Accepted"),
    /** Some of it is done. */
    PARTIALLY_INVALID(true, "PartiallyInvalid"),
    /** Nothing of it can be done by waypoints. */
    INVALID(false, "Invalid"),
    /** An older object is for the same. */
    CONFLICTED(false, "Conflicted"),
    /** What it names is not there. */
    TARGET_NOT_FOUND(false, "TargetNotFound");

    private final boolean accepted;
    private final String reason;

    Verdict(boolean accepted, String reason) {
      this.accepted = accepted;
      this.reason = reason;
    }

    /** Whether waypoints do any of it. */
    public boolean isAccepted() {
      return accepted;
    }

    /** As a condition's reason. */
    public String reason() {
      return reason;
    }
  }

  /** On each object. */
  public static List<TelemetryReport> of(
      TelemetryObjects objects,
      Providers providers,
      Set<WaypointGateway> waypoints,
      MeshServices services) {
    Map<String, Telemetry> first = new HashMap<>();
    List<TelemetryReport> reports = new ArrayList<>();
    // The oldest come first.
    for (Telemetry telemetry : objects.all()) {
      reports.add(of(telemetry, objects, providers, waypoints, services, first));
    }
    return reports;
  }

  private static TelemetryReport of(
      Telemetry telemetry,
      TelemetryObjects objects,
      Providers providers,
      Set<WaypointGateway> waypoints,
      MeshServices services,
      Map<String, Telemetry> first) {
    if (TelemetryObjects.hasSelector(telemetry)) {
      return report(
          telemetry,
          Verdict.INVALID,
          "waypoints do not look at it, as its selector selects pods that have a proxy of their own:"
              + " name Gateways or Services in targetRefs");
    }
    Targets targets = new Targets(telemetry, objects, waypoints, services);
    if (!targets.unusable.isEmpty() && targets.usable.isEmpty()) {
      return report(
          telemetry,
          targets.isMissing ? Verdict.TARGET_NOT_FOUND : Verdict.INVALID,
          "waypoints do not look at it: " + String.join("; ", targets.unusable));
    }
    List<String> findings = new ArrayList<>(targets.unusable);
    Set<String> taken = new HashSet<>();
    for (String target : targets.usable) {
      Telemetry before = first.putIfAbsent(target, telemetry);
      if (before != null && before != telemetry) {
        taken.add(target);
        findings.add(TelemetryObjects.reference(before) + " is older and for the same " + target);
      }
    }
    if (taken.size() == targets.usable.size()) {
      return report(
          telemetry, Verdict.CONFLICTED, "waypoints do not look at it: " + listed(findings));
    }
    findings.addAll(Findings.of(telemetry, providers, services, objects.rootNamespace()));
    return findings.isEmpty()
        ? report(telemetry, Verdict.ACCEPTED, "waypoints do all of it")
        : report(
            telemetry,
            Verdict.PARTIALLY_INVALID,
            "waypoints do all of it but this: " + listed(findings));
  }

  private static String listed(List<String> findings) {
    String all = findings.stream().limit(MOST_LISTED).collect(Collectors.joining("; "));
    return findings.size() > MOST_LISTED
        ? all + "; and " + (findings.size() - MOST_LISTED) + " more"
        : all;
  }

  private static TelemetryReport report(Telemetry telemetry, Verdict verdict, String message) {
    Long generation = telemetry.getMetadata().getGeneration();
    return new TelemetryReport(
        TelemetryObjects.reference(telemetry),
        generation == null ? 0 : generation,
        verdict,
        message);
  }

  /** What an object is for. */
  private static final class Targets {
    private final List<String> usable = new ArrayList<>();
    private final List<String> unusable = new ArrayList<>();
    private boolean isMissing;

    Targets(
        Telemetry telemetry,
        TelemetryObjects objects,
        Set<WaypointGateway> waypoints,
        MeshServices services) {
      String namespace = telemetry.getMetadata().getNamespace();
      List<PolicyTargetReference> references = TelemetryObjects.targets(telemetry);
      if (references.isEmpty()) {
        usable.add(namespace.equals(objects.rootNamespace()) ? "mesh" : "namespace " + namespace);
      }
      for (PolicyTargetReference reference : references) {
        add(reference, namespace, objects.rootNamespace(), waypoints, services);
      }
    }

    private void add(
        PolicyTargetReference reference,
        String namespace,
        String rootNamespace,
        Set<WaypointGateway> waypoints,
        MeshServices services) {
      String name = reference.getKind() + " " + reference.getName();
      if (reference.getNamespace() != null
          && !reference.getNamespace().isEmpty()
          && !reference.getNamespace().equals(namespace)) {
        unusable.add(name + " is in another namespace, which is not allowed");
        return;
      }
      switch (TelemetryObjects.Target.of(reference)) {
        case GATEWAY ->
            found(
                name,
                namespace,
                waypoints.stream()
                    .anyMatch(
                        waypoint ->
                            waypoint.namespace().equals(namespace)
                                && waypoint.name().equals(reference.getName())),
                "is no waypoint of this namespace");
        case CLASS -> {
          if (namespace.equals(rootNamespace)) {
            found(
                name,
                namespace,
                waypoints.stream()
                    .anyMatch(waypoint -> waypoint.className().equals(reference.getName())),
                "is the class of no waypoint");
          } else {
            unusable.add(name + " can be named in the namespace " + rootNamespace + " alone");
          }
        }
        case SERVICE -> found(MeshService.Kind.SERVICE, reference, namespace, services);
        case SERVICE_ENTRY -> found(MeshService.Kind.SERVICE_ENTRY, reference, namespace, services);
        case UNSUPPORTED ->
            unusable.add(
                name
                    + " is of a kind that is not supported: Gateway, GatewayClass, Service and"
                    + " ServiceEntry are");
      }
    }

    private void found(
        MeshService.Kind kind,
        PolicyTargetReference reference,
        String namespace,
        MeshServices services) {
      found(
          reference.getKind() + " " + reference.getName(),
          namespace,
          services.named(kind, namespace, reference.getName()).isPresent(),
          "is not there");
    }

    private void found(String name, String namespace, boolean present, String otherwise) {
      if (present) {
        usable.add(name + " of namespace " + namespace);
      } else {
        isMissing = true;
        unusable.add(name + " " + otherwise);
      }
    }
  }

  /** What of an object's fields is not done. */
  private static final class Findings {
    private final List<String> found = new ArrayList<>();
    private final Providers providers;
    private final MeshServices services;
    private final String rootNamespace;

    private Findings(Providers providers, MeshServices services, String rootNamespace) {
      this.providers = providers;
      this.services = services;
      this.rootNamespace = rootNamespace;
    }

    static List<String> of(
        Telemetry telemetry, Providers providers, MeshServices services, String rootNamespace) {
      Findings findings = new Findings(providers, services, rootNamespace);
      List<Metrics> metrics = Lists.of(telemetry.getSpec().getMetrics());
      for (int i = 0; i < metrics.size(); i++) {
        findings.metrics("spec.metrics[" + i + "]", metrics.get(i));
      }
      List<AccessLogging> logs = Lists.of(telemetry.getSpec().getAccessLogging());
      for (int i = 0; i < logs.size(); i++) {
        findings.accessLogging("spec.accessLogging[" + i + "]", logs.get(i));
      }
      List<Tracing> traces = Lists.of(telemetry.getSpec().getTracing());
      for (int i = 0; i < traces.size(); i++) {
        findings.tracing("spec.tracing[" + i + "]", traces.get(i));
      }
      return findings.found;
    }

    private void add(String path, String effect) {
      found.add(path + ": " + effect);
    }

    private boolean isForServers(String path, @Nullable WorkloadMode mode) {
      if (Policy.isServer(mode)) {
        return true;
      }
      add(path + ".match.mode", "a waypoint stands for servers, so this is not for it");
      return false;
    }

    private void providers(
        String path, @Nullable List<ProviderRef> references, Set<Class<? extends Provider>> kinds) {
      for (String name : Policy.names(references)) {
        Optional<Provider> provider = providers.named(name);
        if (provider.isEmpty()) {
          add(path + ".providers", "the mesh has no provider " + name);
          continue;
        }
        if (!kinds.contains(provider.get().getClass())) {
          add(path + ".providers", "the provider " + name + " is not for this");
          continue;
        }
        collector(provider.get())
            .filter(
                collector ->
                    WaypointTelemetry.service(collector, services, rootNamespace)
                        .flatMap(service -> service.port(collector.port()))
                        .isEmpty())
            .ifPresent(
                collector ->
                    add(
                        path + ".providers",
                        "of the provider "
                            + name
                            + " there is no service "
                            + collector.service()
                            + " with a port "
                            + collector.port()));
      }
    }

    private static Optional<Provider.Collector> collector(Provider provider) {
      return switch (provider) {
        case Provider.CollectorLog log -> Optional.of(log.collector());
        case Provider.Tracer tracer -> Optional.of(tracer.collector());
        case Provider.FileLog _, Provider.Scraped _ -> Optional.empty();
      };
    }

    private void metrics(String path, Metrics metrics) {
      providers(path, metrics.getProviders(), Providers.METRICS);
      if (metrics.getReportingInterval() != null) {
        add(
            path + ".reportingInterval",
            "a waypoint adds a TCP connection's bytes when it ends, and not before");
      }
      List<MetricsOverrides> overrides = Lists.of(metrics.getOverrides());
      for (int i = 0; i < overrides.size(); i++) {
        override(path + ".overrides[" + i + "]", overrides.get(i));
      }
    }

    private void override(String path, MetricsOverrides override) {
      MetricSelector match = override.getMatch();
      if (match != null && !isForServers(path, match.getMode())) {
        return;
      }
      if (Policy.selected(match).isEmpty()) {
        add(path + ".match", "a waypoint has no such metric");
      }
      if (override.getTagOverrides() != null) {
        new TreeMap<>(override.getTagOverrides())
            .forEach(
                (label, tag) ->
                    Policy.problem(label, tag)
                        .ifPresent(problem -> add(path + ".tagOverrides[" + label + "]", problem)));
      }
    }

    private void accessLogging(String path, AccessLogging logging) {
      if (logging.getMatch() != null && !isForServers(path, logging.getMatch().getMode())) {
        return;
      }
      providers(path, logging.getProviders(), Providers.LOGS);
      Policy.expression(logging)
          .flatMap(Cel::problem)
          .ifPresent(
              problem -> add(path + ".filter.expression", problem + ", so everything is logged"));
    }

    private void tracing(String path, Tracing tracing) {
      if (tracing.getMatch() != null && !isForServers(path, tracing.getMatch().getMode())) {
        return;
      }
      providers(path, tracing.getProviders(), Providers.TRACES);
      if (Lists.of(tracing.getProviders()).size() > 1) {
        add(path + ".providers", "a waypoint sends spans to the first of them alone");
      }
      Double sampled = tracing.getRandomSamplingPercentage();
      if (sampled != null && !(sampled >= 0 && sampled <= 100)) {
        add(
            path + ".randomSamplingPercentage",
            "it is not from 0 to 100, and taken as the nearest");
      }
      Map<String, TracingCustomTag> tags = tracing.getCustomTags();
      if (tags != null) {
        new TreeMap<>(tags)
            .forEach(
                (name, tag) -> {
                  if (Spanning.custom(name, tag).isEmpty()) {
                    add(
                        path + ".customTags[" + name + "]",
                        "it has no literal, header or environment with a name or value");
                  }
                });
      }
      if (Boolean.FALSE.equals(tracing.getEnableIstioTags())) {
        add(path + ".enableIstioTags", "spans carry who talks to whom all the same");
      }
    }
  }
}
