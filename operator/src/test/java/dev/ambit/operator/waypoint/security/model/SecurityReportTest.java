package dev.ambit.operator.waypoint.security.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.WaypointGateway;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReferenceBuilder;
import io.fabric8.istio.api.api.type.v1beta1.WorkloadSelectorBuilder;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** A policy's status says where it is enforced, and what of it is not as it is written. */
class SecurityReportTest {
  private static final WaypointGateway WAYPOINT =
      new WaypointGateway("default", "waypoint", "ambit-waypoint");
  private static final MeshService SERVER =
      Policies.service(
          "default",
          "server",
          Policies.port(80, PortProtocol.HTTP),
          Policies.port(9000, PortProtocol.TCP));
  private static final MeshService WEB =
      Policies.service("default", "web", Policies.port(80, PortProtocol.HTTP));
  private static final MeshService UNBOUND = Policies.service("default", "unbound");

  private static final PolicyTargets TARGETS =
      new PolicyTargets() {
        @Override
        public MeshServices services() {
          return Policies.services(SERVER, WEB, UNBOUND);
        }

        @Override
        public Collection<WaypointGateway> waypoints() {
          return List.of(WAYPOINT);
        }

        @Override
        public Set<String> classes() {
          return Set.of("ambit-waypoint");
        }

        @Override
        public List<WaypointGateway> waypointsOf(MeshService service) {
          return service.equals(UNBOUND) ? List.of() : List.of(WAYPOINT);
        }

        @Override
        public Collection<WaypointGateway> anothers() {
          return List.of();
        }

        @Override
        public Set<String> classesOfOthers() {
          return Set.of();
        }

        @Override
        public Optional<String> past(MeshService service) {
          return Optional.empty();
        }

        @Override
        public Collection<MeshService> behind(WaypointGateway waypoint) {
          return List.of(SERVER, WEB);
        }
      };

  private static AuthorizationPolicy attached(AuthorizationPolicy policy, String... kindAndName) {
    policy
        .getSpec()
        .setTargetRefs(
            List.of(kindAndName).stream()
                .map(
                    text -> {
                      String kind = text.substring(0, text.indexOf(' '));
                      return new PolicyTargetReferenceBuilder()
                          .withKind(kind)
                          .withGroup(kind.startsWith("Gateway") ? "gateway.networking.k8s.io" : "")
                          .withName(text.substring(text.indexOf(' ') + 1))
                          .build();
                    })
                .toList());
    return policy;
  }

  private static AuthorizationPolicy simple(String... targets) {
    return attached(
        Policies.policy("p", "rules: [{from: [{source: {namespaces: [a]}}]}]"), targets);
  }

  private static SecurityReport report(AuthorizationPolicy policy, AuthorizationPolicy... others) {
    List<AuthorizationPolicy> all = new java.util.ArrayList<>(List.of(others));
    all.add(policy);
    return SecurityReport.of(
            policy, PolicyIndex.of(all, List.of(), "istio-system"), TARGETS, Policies.settings())
        .orElseThrow();
  }

  private static void expect(
      SecurityReport report, SecurityReport.Verdict verdict, String... says) {
    assertThat(report.verdict()).as(report.message()).isEqualTo(verdict);
    List.of(says).forEach(each -> assertThat(report.message()).contains(each));
  }

  @Test
  void whereItIsEnforced() {
    expect(
        report(simple("Service server")),
        SecurityReport.Verdict.ACCEPTED,
        "Service default/server",
        "default/waypoint");
    expect(report(simple("Gateway waypoint")), SecurityReport.Verdict.ACCEPTED);
    expect(
        report(simple("Service gone")), SecurityReport.Verdict.TARGET_NOT_FOUND, "does not exist");
    expect(report(simple("Gateway gone")), SecurityReport.Verdict.TARGET_NOT_FOUND);
    expect(
        report(simple("Service unbound")),
        SecurityReport.Verdict.ANCESTOR_NOT_BOUND,
        "istio.io/use-waypoint");
    expect(report(simple("Pod server")), SecurityReport.Verdict.INVALID);
    expect(
        report(simple("GatewayClass ambit-waypoint")),
        SecurityReport.Verdict.INVALID,
        "root namespace");
    expect(
        report(simple("Service server", "Service gone")),
        SecurityReport.Verdict.PARTIALLY_INVALID,
        "gone does not exist");
    expect(report(simple("Service unbound", "Service gone")), SecurityReport.Verdict.INVALID);
    AuthorizationPolicy ofRoot = simple("GatewayClass ambit-waypoint");
    ofRoot.getMetadata().setNamespace("istio-system");
    expect(report(ofRoot), SecurityReport.Verdict.ACCEPTED);
    AuthorizationPolicy without = simple("Service server");
    without.getSpec().setTargetRefs(List.of());
    assertThat(
            SecurityReport.of(
                without, PolicyIndex.of(List.of(), List.of(), "x"), TARGETS, Policies.settings()))
        .isEmpty();
  }

  @Test
  void whatIsNotAsWritten() {
    String paths = "rules: [{to: [{operation: {paths: [/a]}}]}]";
    expect(
        report(attached(Policies.policy("p", paths), "Service web")),
        SecurityReport.Verdict.ACCEPTED);
    expect(
        report(attached(Policies.policy("p", paths), "Service server")),
        SecurityReport.Verdict.PARTIALLY_INVALID,
        "port 9000 of server",
        "spec.rules[0].to[0].operation.paths");
    expect(
        report(
            attached(
                Policies.policy("p", "rules: [{when: [{key: moon.phase, values: [full]}]}]"),
                "Service web")),
        SecurityReport.Verdict.PARTIALLY_INVALID,
        "moon.phase");
    AuthorizationPolicy both = simple("Service web");
    both.getSpec().setSelector(new WorkloadSelectorBuilder().addToMatchLabels("a", "b").build());
    expect(report(both), SecurityReport.Verdict.PARTIALLY_INVALID, "spec.selector");
  }

  @Test
  void authorizersThatCannotBeAsked() {
    AuthorizationPolicy custom =
        attached(
            Policies.policy("p", "{action: CUSTOM, provider: {name: opa}, rules: [{}]}"),
            "Service web");
    expect(report(custom), SecurityReport.Verdict.INVALID, "no provider \"opa\"", "denied");
    expect(
        report(Policies.dryRun(custom)),
        SecurityReport.Verdict.PARTIALLY_INVALID,
        "cannot be tried");
  }

  @Test
  void tokens() {
    expect(
        SecurityReport.of(
            Policies.authentication("a", "- {issuer: 'x', jwks: '%s'}".formatted(KeySet.OF_NOBODY)),
            TARGETS,
            Policies.settings()),
        SecurityReport.Verdict.ACCEPTED);
    expect(
        SecurityReport.of(
            Policies.authentication(
                "a",
                """
                - {issuer: x}
                - {jwks: '{}'}
                - {issuer: y, jwks: '{"keys": [{"kty": "oct", "k": "AA"}]}'}
                - {issuer: z, jwksUri: 'ftp://x', timeout: soon, fromHeaders: [{name: 'a b'}]}
                """),
            TARGETS,
            Policies.settings()),
        SecurityReport.Verdict.PARTIALLY_INVALID,
        "spec.jwtRules[0]: has neither",
        "spec.jwtRules[1].issuer",
        "spec.jwtRules[2].jwks",
        "spec.jwtRules[3].jwksUri",
        "spec.jwtRules[3].timeout",
        "spec.jwtRules[3].fromHeaders[0].name");
    var nowhere = Policies.authentication("a", "- {issuer: x, jwksUri: 'https://x'}");
    nowhere.getSpec().setTargetRefs(List.of());
    expect(
        SecurityReport.of(nowhere, TARGETS, Policies.settings()),
        SecurityReport.Verdict.INVALID,
        "attached to nothing");
  }
}
