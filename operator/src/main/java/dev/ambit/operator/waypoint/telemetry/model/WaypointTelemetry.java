package dev.ambit.operator.waypoint.telemetry.model;

import dev.ambit.operator.waypoint.model.Backend;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLog;
import io.envoyproxy.envoy.config.accesslog.v3.AccessLogFilter;
import io.envoyproxy.envoy.data.accesslog.v3.AccessLogType;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What a waypoint counts, logs and traces. */
public final class WaypointTelemetry {
  private final WaypointGateway waypoint;
  private final TelemetryObjects objects;
  private final Providers providers;
  private final Defaults defaults;
  private final MeshServices services;
  private final Map<Choice, Result> earlier;
  private final Map<Choice, Result> results = new HashMap<>();

  /** With the mesh's objects and providers as they are. */
  public WaypointTelemetry(
      WaypointGateway waypoint,
      TelemetryObjects objects,
      Providers providers,
      Defaults defaults,
      MeshServices services) {
    this(waypoint, objects, providers, defaults, services, Map.of());
  }

  private WaypointTelemetry(
      WaypointGateway waypoint,
      TelemetryObjects objects,
      Providers providers,
      Defaults defaults,
      MeshServices services,
      Map<Choice, Result> earlier) {
    this.waypoint = waypoint;
    this.objects = objects;
    this.providers = providers;
    this.defaults = defaults;
    this.services = services;
    this.earlier = earlier;
  }

  /**
   * The same, which gives the very results that another gave, as far as they are equal: those are
   * quick to compare, and most ports have the same.
   */
  public WaypointTelemetry after(WaypointTelemetry before) {
    return new WaypointTelemetry(
        waypoint, objects, providers, defaults, services, Map.copyOf(before.results));
  }

  /** What a result turns on. */
  private record Choice(Policy policy, boolean messages) {}

  /**
   * What a chain carries, and where that sends anything.
   *
   * @param collectors of which the waypoint needs clusters
   */
  public record Result(ChainTelemetry chain, Set<Backend> collectors) {}

  /** Of the chains for a port of a service. */
  public Result of(MeshService service, PortProtocol protocol) {
    return of(Optional.of(service), protocol);
  }

  /** Of the chains for what is addressed to pods. */
  public Result ofPods() {
    return of(Optional.empty(), PortProtocol.DETECTED);
  }

  private Result of(Optional<MeshService> service, PortProtocol protocol) {
    Policy policy = Policy.of(defaults, providers, objects.of(waypoint, service));
    return results.computeIfAbsent(
        new Choice(
            policy,
            protocol == PortProtocol.GRPC && MetricLoggers.countsMessages(policy.metrics())),
        choice -> {
          Result result = result(choice.policy(), choice.messages());
          Result before = earlier.get(choice);
          return before != null && before.equals(result) ? before : result;
        });
  }

  private Result result(Policy policy, boolean messages) {
    Set<Backend> collectors = new LinkedHashSet<>();
    List<AccessLog> http = new ArrayList<>();
    List<AccessLog> tcp = new ArrayList<>();
    http.addAll(MetricLoggers.http(policy.metrics(), messages));
    tcp.addAll(MetricLoggers.tcp(policy.metrics()));
    policy
        .logs()
        .forEach(
            (name, log) -> {
              writer(name, log, List.of(), collectors).ifPresent(http::add);
              writer(
                      name,
                      log,
                      List.of(LogFilters.type(AccessLogType.TcpConnectionEnd)),
                      collectors)
                  .ifPresent(tcp::add);
            });
    Optional<ChainTelemetry.Spans> spans =
        policy.trace().flatMap(trace -> spans(trace, collectors));
    return new Result(
        new ChainTelemetry(
            List.copyOf(http),
            messages ? MetricLoggers.messageFilters() : List.of(),
            List.copyOf(tcp),
            spans),
        Set.copyOf(collectors));
  }

  private Optional<AccessLog> writer(
      String name, Policy.Log log, List<AccessLogFilter> besides, Set<Backend> collectors) {
    List<AccessLogFilter> filters = new ArrayList<>(besides);
    log.expression().map(LogFilters::expression).ifPresent(filters::add);
    AccessLogFilter filter =
        filters.isEmpty() ? AccessLogFilter.getDefaultInstance() : LogFilters.all(filters);
    return providers
        .named(name)
        .flatMap(
            provider ->
                switch (provider) {
                  case Provider.FileLog file ->
                      Optional.of(LogWriters.file(file.path(), file.format(), filter));
                  case Provider.CollectorLog logs ->
                      backend(logs.collector(), PortProtocol.GRPC)
                          .map(
                              collector -> {
                                collectors.add(collector);
                                return LogWriters.collector(
                                    logs, collector.clusterName(), resource(), filter);
                              });
                  case Provider.Tracer _, Provider.Scraped _ -> Optional.empty();
                });
  }

  private Optional<ChainTelemetry.Spans> spans(Policy.Trace trace, Set<Backend> collectors) {
    return providers
        .tracer(trace.provider())
        .flatMap(
            tracer ->
                backend(
                        tracer.collector(),
                        tracer.path().isPresent() ? PortProtocol.HTTP : PortProtocol.GRPC)
                    .map(
                        collector -> {
                          collectors.add(collector);
                          return Spanning.spans(trace, tracer, collector.clusterName(), waypoint);
                        }));
  }

  private Optional<Backend> backend(Provider.Collector collector, PortProtocol protocol) {
    return service(collector, services, objects.rootNamespace())
        .filter(service -> service.port(collector.port()).isPresent())
        .map(service -> new Backend(service, collector.port(), protocol, Optional.empty()));
  }

  static Optional<MeshService> service(
      Provider.Collector collector, MeshServices services, String rootNamespace) {
    int slash = collector.service().indexOf('/');
    return slash < 0
        ? services.answeringTo(collector.service(), rootNamespace)
        : services
            .answeringTo(
                collector.service().substring(slash + 1), collector.service().substring(0, slash))
            .filter(service -> service.namespace().equals(collector.service().substring(0, slash)));
  }

  private Map<String, String> resource() {
    Map<String, String> resource = new LinkedHashMap<>();
    resource.put("service.name", waypoint.name() + "." + waypoint.namespace());
    resource.put("k8s.namespace.name", waypoint.namespace());
    return resource;
  }

  /**
   * Of the chain where tunnels end: those that are refused, on the container's output. It does not
   * turn on Telemetry objects, as a change of that chain ends all tunnels.
   */
  public static List<AccessLog> refusedTunnels() {
    return List.of(
        LogWriters.file(
            "/dev/stdout", new LogFormat.Json(LogFields.TUNNELS), LogFilters.refused()));
  }

  /**
   * Of the chains that open tunnels to endpoints: those that do not come about, with the reason,
   * which no other log has.
   */
  public static List<AccessLog> failedTunnels() {
    return List.of(
        LogWriters.file(
            "/dev/stdout", new LogFormat.Json(LogFields.ORIGINATE), LogFilters.failed()));
  }
}
