package dev.ambit.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SimulateCommandTest {
  private static final String POLICY =
      """
      apiVersion: security.istio.io/v1
      kind: AuthorizationPolicy
      metadata: {name: cart-only, namespace: shop}
      spec:
        selector: {matchLabels: {app: cart}}
        action: ALLOW
        rules:
        - from: [{source: {principals: [cluster.local/ns/bank/sa/till]}}]
      """;

  private final CommandLineFixture ambit = new CommandLineFixture();

  @BeforeEach
  void install() {
    ambit.server.put(CommandLineFixture.resource("mesh.yaml"));
    ambit.server.text(
        "/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-a/log",
        CommandLineFixture.resource("access.log"));
    ambit.server.text("/api/v1/namespaces/ambit-system/pods/ambit-ztunnel-b/log", "");
  }

  @AfterEach
  void close() {
    ambit.close();
  }

  private CommandLineFixture.Result simulate(String policy) throws Exception {
    Files.writeString(ambit.folder.resolve("policy.yaml"), policy);
    return ambit.run("authz", "simulate", "-f", "policy.yaml");
  }

  @Test
  void connections_that_a_policy_would_have_denied_are_counted_by_source() throws Exception {
    simulate(POLICY).exits(ExitCode.FINDINGS).printed("simulate.txt");
  }

  @Test
  void what_another_policy_allows_stays_allowed() throws Exception {
    ambit.server.put(
        """
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: everybody, namespace: shop}
        spec: {action: ALLOW, rules: [{}]}
        """);
    assertThat(simulate(POLICY).exits(ExitCode.OK).out())
        .contains("0 that were let in would have been denied.");
  }

  @Test
  void fields_of_layer_7_are_said_to_make_it_stricter() throws Exception {
    assertThat(
            simulate(POLICY.replace("rules:", "rules:\n  - to: [{operation: {methods: [GET]}}]"))
                .exits(ExitCode.FINDINGS)
                .out())
        .contains("more strictly than it is written")
        .contains("spec.rules[0].to[0].operation.methods");
  }

  @Test
  void files_that_hold_no_such_policy_are_wrong_usage() throws Exception {
    assertThat(simulate("kind: ConfigMap\napiVersion: v1\n").exits(ExitCode.USAGE).err())
        .contains("has a ConfigMap, not an AuthorizationPolicy");
    simulate("# nothing\n").exits(ExitCode.USAGE);
    simulate("a: [").exits(ExitCode.USAGE);
    ambit.run("authz", "simulate", "-f", "absent.yaml").exits(ExitCode.USAGE);
    ambit.run("authz").exits(ExitCode.USAGE);
    assertThat(
            simulate(
                    POLICY.replace(
                        "selector: {matchLabels: {app: cart}}",
                        "targetRefs: [{kind: Service, name: cart, group: ''}]"))
                .exits(ExitCode.REFUSED)
                .err())
        .contains("judged by a waypoint");
  }
}
