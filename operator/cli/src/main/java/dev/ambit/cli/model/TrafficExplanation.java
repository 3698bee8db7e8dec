package dev.ambit.cli.model;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.TextFormat;
import dev.ambit.capture.Redirection;
import dev.ambit.protocol.security.Authorization;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Which way a connection takes, who shows which identity, and what becomes of it, by what the
 * ztunnels themselves say that they have been told.
 *
 * @param identity of the source; absent where it is not captured
 * @param verdict Allowed, Denied, Mixed where endpoints differ, or Refused where it gets to none
 * @param waypointPolicies policies that the waypoint judges by, request by request
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record TrafficExplanation(
    String source,
    @Nullable String identity,
    String destination,
    int port,
    String verdict,
    List<Hop> hops,
    List<Endpoint> endpoints,
    List<String> waypointPolicies,
    List<String> notes) {

  private static final String SPIFFE = "spiffe://";
  private static final String STATIC_STRICT = "istio_converted_static_strict";
  private static final String CONVERTED = "converted_peer_authentication_";

  /**
   * A place that the connection passes.
   *
   * @param identity that it shows to the next
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Hop(String kind, String name, @Nullable String identity, String what) {}

  /**
   * Where the connection may end.
   *
   * @param seenAs the identity that its ztunnel judges; absent for plaintext
   * @param by the policy that decided
   */
  @JsonInclude(JsonInclude.Include.NON_NULL)
  public record Endpoint(
      String workload,
      String node,
      String address,
      int port,
      String transport,
      @Nullable String seenAs,
      String mtls,
      String verdict,
      @Nullable String by,
      List<Judgement> policies) {}

  /** What one policy says of it. */
  public record Judgement(
      String policy, String action, String scope, boolean dryRun, boolean matches) {}

  /** What the connection is asked for. */
  public sealed interface Target {
    String namespace();

    String name();

    /** A service of the mesh, and one of its ports. */
    record OfService(String namespace, String name, int port) implements Target {}

    /** A pod itself. */
    record OfPod(String namespace, String name, int port) implements Target {}
  }

  /**
   * Explains.
   *
   * @param source the pod
   * @param dumps of all ztunnels that answered; at least one
   * @param waypointPolicies AuthorizationPolicies that are attached to the service or its waypoint
   */
  public static TrafficExplanation of(
      JsonNode source, Target target, List<ZtunnelDump> dumps, List<String> waypointPolicies) {
    String node = Objects.text(source, "/spec/nodeName");
    ZtunnelDump dump =
        dumps.stream()
            .filter(each -> each.node().equals(node))
            .findFirst()
            .orElse(dumps.getFirst());
    return new Explainer(source, target, dump, dumps, waypointPolicies).explain();
  }

  private record Explainer(
      JsonNode source,
      Target target,
      ZtunnelDump dump,
      List<ZtunnelDump> dumps,
      List<String> waypointPolicies,
      List<Hop> hops,
      List<String> notes) {

    Explainer(
        JsonNode source,
        Target target,
        ZtunnelDump dump,
        List<ZtunnelDump> dumps,
        List<String> waypointPolicies) {
      this(source, target, dump, dumps, waypointPolicies, new ArrayList<>(), new ArrayList<>());
    }

    TrafficExplanation explain() {
      boolean captured = Redirection.of(Objects.annotations(source)) == Redirection.ENABLED;
      String identity = captured ? sourceIdentity() : null;
      String name = Objects.namespace(source) + "/" + Objects.name(source);
      String node = Objects.text(source, "/spec/nodeName");
      hops.add(new Hop("pod", name, null, "opens a connection, on node " + node));
      if (captured) {
        hops.add(new Hop("ztunnel", node, identity, "takes the connection of the pod"));
      } else {
        notes.add(
            "The source is not captured: its connections go out plain, past waypoints. `ambit explain "
                + name
                + "` says why.");
      }
      return switch (target) {
        case Target.OfService(String namespace, String service, int port) ->
            service(captured, identity, namespace, service, port);
        case Target.OfPod(String namespace, String pod, int port) -> {
          Optional<JsonNode> workload = workload(namespace, pod);
          if (workload.isEmpty()) {
            notes.add("No ztunnel knows the pod: what is sent to it passes as to an outsider.");
            yield done(identity, port, "Refused", List.of());
          }
          yield toWorkloads(
              captured,
              identity,
              workload.get().path("waypoint"),
              List.of(new Place(workload.get(), port)),
              port);
        }
      };
    }

    private String sourceIdentity() {
      return workload(Objects.namespace(source), Objects.name(source))
          .map(ZtunnelDump::identity)
          .orElseGet(
              () ->
                  "spiffe://?/ns/"
                      + Objects.namespace(source)
                      + "/sa/"
                      + Objects.text(source, "/spec/serviceAccountName"));
    }

    private Optional<JsonNode> workload(String namespace, String name) {
      return Objects.items(dump.dump(), "/workloads").stream()
          .filter(each -> Objects.text(each, "/namespace").equals(namespace))
          .filter(each -> Objects.text(each, "/name").equals(name))
          .findFirst();
    }

    private TrafficExplanation service(
        boolean captured, @Nullable String identity, String namespace, String name, int port) {
      Optional<JsonNode> service =
          Objects.items(dump.dump(), "/services").stream()
              .filter(each -> Objects.text(each, "/namespace").equals(namespace))
              .filter(
                  each ->
                      Objects.text(each, "/name").equals(name)
                          || Objects.text(each, "/hostname").equals(name))
              .findFirst();
      if (service.isEmpty()) {
        notes.add("The ztunnel does not know the service.");
        return done(identity, port, "Refused", List.of());
      }
      if (service.get().path("ports").path(String.valueOf(port)).isMissingNode()) {
        notes.add(
            "The service has no port "
                + port
                + "; it has "
                + service.get().path("ports").properties().stream()
                    .map(each -> each.getKey())
                    .collect(Collectors.joining(", "))
                + ".");
        return done(identity, port, "Refused", List.of());
      }
      List<Place> places = new ArrayList<>();
      for (var endpoint : service.get().path("endpoints").properties()) {
        String uid = Objects.text(endpoint.getValue(), "/workloadUid");
        Optional<JsonNode> workload =
            Objects.items(dump.dump(), "/workloads").stream()
                .filter(each -> Objects.text(each, "/uid").equals(uid))
                .findFirst();
        boolean healthy = Objects.text(endpoint.getValue(), "/status").equals("Healthy");
        if (workload.isPresent() && healthy) {
          int target =
              endpoint
                  .getValue()
                  .path("ports")
                  .path(String.valueOf(port))
                  .asInt(service.get().path("ports").path(String.valueOf(port)).asInt(port));
          places.add(new Place(workload.get(), target == 0 ? port : target));
        }
      }
      if (places.isEmpty()) {
        notes.add("The service has no healthy endpoint.");
        return done(identity, port, "Refused", List.of());
      }
      return toWorkloads(captured, identity, service.get().path("waypoint"), places, port);
    }

    /** An endpoint and the port that it listens on. */
    private record Place(JsonNode workload, int port) {}

    private TrafficExplanation toWorkloads(
        boolean captured,
        @Nullable String identity,
        JsonNode waypoint,
        List<Place> places,
        int port) {
      String last = identity;
      String address = Objects.text(source, "/status/podIP");
      if (waypoint.isObject() && captured) {
        String key = Objects.text(waypoint, "/destination");
        List<JsonNode> instances =
            Objects.items(dump.dump(), "/workloads").stream()
                .filter(
                    each ->
                        Objects.items(each, "/services").stream()
                            .anyMatch(service -> service.asText().equals(key)))
                .toList();
        if (instances.isEmpty()) {
          hops.add(new Hop("waypoint", key, null, "is not there or has no instance"));
          notes.add("Traffic is refused while the waypoint that it is bound to cannot be used.");
          return done(identity, port, "Refused", List.of());
        }
        last = ZtunnelDump.identity(instances.getFirst());
        address = Objects.text(instances.getFirst(), "/workloadIps/0");
        hops.add(
            new Hop(
                "waypoint",
                key,
                last,
                "judges and routes requests, over mTLS from the source's ztunnel"));
      } else if (waypoint.isObject()) {
        notes.add(
            "The destination has a waypoint, which what comes from outside the mesh does not pass.");
      }
      List<Endpoint> endpoints = new ArrayList<>();
      for (Place place : places) {
        endpoints.add(endpoint(place, captured || last != null ? last : null, address));
      }
      new TreeSet<>(endpoints.stream().map(Endpoint::node).toList())
          .forEach(
              node ->
                  hops.add(
                      new Hop(
                          endpoints.stream()
                                  .anyMatch(
                                      each ->
                                          each.node().equals(node)
                                              && each.transport().equals("HBONE"))
                              ? "ztunnel"
                              : "node",
                          node,
                          null,
                          "has "
                              + endpoints.stream()
                                  .filter(each -> each.node().equals(node))
                                  .map(Endpoint::workload)
                                  .collect(Collectors.joining(", ")))));
      TreeSet<String> verdicts = new TreeSet<>(endpoints.stream().map(Endpoint::verdict).toList());
      return done(identity, port, verdicts.size() == 1 ? verdicts.first() : "Mixed", endpoints);
    }

    private Endpoint endpoint(Place place, @Nullable String identity, String sourceAddress) {
      JsonNode workload = place.workload();
      String namespace = Objects.text(workload, "/namespace");
      String name = namespace + "/" + Objects.text(workload, "/name");
      String node = Objects.text(workload, "/node");
      boolean hbone = Objects.text(workload, "/protocol").equals("HBONE");
      String address = Objects.text(workload, "/workloadIps/0");
      if (!hbone) {
        return new Endpoint(
            name,
            node,
            address,
            place.port(),
            "TCP",
            null,
            "none: it is not captured",
            "Allowed",
            null,
            List.of());
      }
      List<Authorization> policies = policies(node, namespace, workload);
      String principal =
          identity == null
              ? null
              : identity.startsWith(SPIFFE) ? identity.substring(SPIFFE.length()) : identity;
      var connection = new L4Evaluation.Connection(principal, sourceAddress, address, place.port());
      L4Evaluation.Verdict verdict = L4Evaluation.judge(policies, connection);
      String mtls =
          policies.stream().anyMatch(each -> each.getName().equals(STATIC_STRICT))
              ? "Strict"
              : policies.stream().anyMatch(each -> each.getName().startsWith(CONVERTED))
                  ? "Strict for some ports"
                  : "Permissive";
      return new Endpoint(
          name,
          node,
          address,
          place.port(),
          identity == null ? "TCP" : "HBONE",
          identity,
          mtls,
          verdict instanceof L4Evaluation.Verdict.Allowed ? "Allowed" : "Denied",
          switch (verdict) {
            case L4Evaluation.Verdict.Allowed(String by) -> by;
            case L4Evaluation.Verdict.Denied(String by) -> by == null ? "no policy allows it" : by;
          },
          policies.stream()
              .map(
                  each ->
                      new Judgement(
                          L4Evaluation.name(each),
                          each.getAction().name(),
                          each.getScope().name().toLowerCase(Locale.ROOT),
                          each.getDryRun(),
                          L4Evaluation.matches(each, connection)))
              .toList());
    }

    /** Those that hold for a workload, as its own ztunnel knows them. */
    private List<Authorization> policies(String node, String namespace, JsonNode workload) {
      ZtunnelDump own =
          dumps.stream().filter(each -> each.node().equals(node)).findFirst().orElse(dump);
      List<String> selected =
          Objects.items(workload, "/authorizationPolicies").stream().map(JsonNode::asText).toList();
      List<Authorization> holding = new ArrayList<>();
      for (JsonNode each : Objects.items(own.dump(), "/policies")) {
        Authorization policy = parse(Objects.text(each, "/text"));
        boolean holds =
            switch (policy.getScope()) {
              case GLOBAL -> true;
              case NAMESPACE -> policy.getNamespace().equals(namespace);
              case WORKLOAD_SELECTOR -> selected.contains(L4Evaluation.name(policy));
              case UNRECOGNIZED -> false;
            };
        if (holds) {
          holding.add(policy);
        }
      }
      for (String name : selected) {
        if (holding.stream().noneMatch(policy -> L4Evaluation.name(policy).equals(name))) {
          notes.add("Policy " + name + " has not reached the ztunnel of " + node + ": it denies.");
        }
      }
      return holding;
    }

    private static Authorization parse(String text) {
      try {
        Authorization.Builder builder = Authorization.newBuilder();
        TextFormat.merge(text, builder);
        return builder.build();
      } catch (TextFormat.ParseException e) {
        throw new IllegalArgumentException(
            "the ztunnel is of another version: a policy of its dump cannot be read, "
                + e.getMessage(),
            e);
      }
    }

    private TrafficExplanation done(
        @Nullable String identity, int port, String verdict, List<Endpoint> endpoints) {
      boolean throughWaypoint = hops.stream().anyMatch(hop -> hop.kind().equals("waypoint"));
      return new TrafficExplanation(
          Objects.namespace(source) + "/" + Objects.name(source),
          identity,
          target.namespace() + "/" + target.name(),
          port,
          verdict,
          List.copyOf(hops),
          endpoints,
          throughWaypoint ? waypointPolicies : List.of(),
          List.copyOf(notes));
    }
  }
}
