package dev.ambit.ztunnel.admin;

import static dev.ambit.ztunnel.testing.MeshFixtures.key;
import static dev.ambit.ztunnel.testing.MeshFixtures.pod;
import static dev.ambit.ztunnel.testing.MeshFixtures.ports;
import static dev.ambit.ztunnel.testing.MeshFixtures.service;
import static dev.ambit.ztunnel.testing.MeshFixtures.socket;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.ztunnel.certificate.CertificateStatus;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.testing.TestAuthority;
import dev.ambit.ztunnel.zds.LiveConnection;
import dev.ambit.ztunnel.zds.PodStatus;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ConfigDumpTest {
  @Test
  void isJsonWithIstiosNames() throws Exception {
    MeshWorkload cart =
        MeshWorkload.of(
            pod("shop", "cart", "10.0.0.2", "fd00::2")
                .putServices(key("shop", "cart"), ports(80, 8080))
                .build());
    TestAuthority authority = new TestAuthority();
    String dump =
        ConfigDump.write(
            new ConfigDump.Contents(
                List.of(cart),
                List.of(MeshService.of(service("shop", "cart", "10.96.0.1").build())),
                List.of(),
                List.of(
                    Policy.of(
                        Authorization.newBuilder().setNamespace("shop").setName("p\"q").build())),
                List.of(
                    new CertificateStatus(
                        cart.identity(),
                        "Available",
                        List.of(authority.root()),
                        List.of(authority.root()),
                        1)),
                List.of(
                    new PodStatus(
                        new LocalPod("uid-1", "cart", "shop", "cart"),
                        true,
                        null,
                        List.of(
                            new LiveConnection(connection(Reporter.DESTINATION, cart), null),
                            new LiveConnection(connection(Reporter.SOURCE, cart), "10.96.0.1:80"),
                            new LiveConnection(
                                connection(Reporter.SOURCE, cart), "10.96.0.1:53", true))),
                    new PodStatus(
                        new LocalPod("uid-2", "late", "shop", "late"),
                        false,
                        "port 15008 is taken",
                        List.of())),
                Map.of("network", ""),
                "1.2.3"));

    Struct json = parse(dump);

    assertThat(json.getFieldsMap())
        .containsKeys(
            "workloads",
            "services",
            "stagedServices",
            "policies",
            "certificates",
            "workloadState",
            "version",
            "config");
    assertThat(dump)
        .contains(
            "{\"uid-1\":{\"state\":\"Up\",\"connections\":{\"inbound\":[{\"src\":\"10.0.0.9:43210\","
                + "\"originalDst\":\"10.0.0.2:8080\",\"actualDst\":\"10.0.0.2:15008\","
                + "\"protocol\":\"HBONE\"}],\"outbound\":[{\"src\":\"10.0.0.9:43210\","
                + "\"originalDst\":\"10.96.0.1:80\",\"actualDst\":\"10.0.0.2:15008\","
                + "\"protocol\":\"HBONE\","
                + "\"peerIdentity\":\"spiffe://cluster.local/ns/shop/sa/cart\"},"
                + "{\"src\":\"10.0.0.9:43210\","
                + "\"originalDst\":\"10.96.0.1:53\",\"actualDst\":\"10.0.0.2:15008\","
                + "\"protocol\":\"HBONE\",\"transport\":\"UDP\","
                + "\"peerIdentity\":\"spiffe://cluster.local/ns/shop/sa/cart\"}]},"
                + "\"info\":{\"name\":\"cart\"")
        .contains("\"uid-2\":{\"state\":\"Pending\",\"failure\":\"port 15008 is taken\"");
    Struct workload =
        json.getFieldsOrThrow("workloads").getListValue().getValues(0).getStructValue();
    assertThat(workload.getFieldsOrThrow("uid").getStringValue()).isEqualTo(cart.uid());
    assertThat(workload.getFieldsOrThrow("protocol").getStringValue()).isEqualTo("HBONE");
    assertThat(
            workload.getFieldsOrThrow("workloadIps").getListValue().getValuesList().stream()
                .map(value -> value.getStringValue()))
        .containsExactly("10.0.0.2", "fd00::2");
    Struct service = json.getFieldsOrThrow("services").getListValue().getValues(0).getStructValue();
    assertThat(service.getFieldsOrThrow("endpoints").getStructValue().getFieldsMap())
        .containsOnlyKeys(cart.uid());
    assertThat(dump).doesNotContain("PRIVATE");
  }

  private static ConnectionInfo connection(Reporter reporter, MeshWorkload destination) {
    return new ConnectionInfo(
        reporter,
        socket("10.0.0.9", 43210),
        null,
        null,
        socket("10.0.0.2", 15008),
        "10.0.0.2:8080",
        new Endpoint(destination, null),
        destination.identity());
  }

  private static Struct parse(String json) throws InvalidProtocolBufferException {
    Struct.Builder struct = Struct.newBuilder();
    JsonFormat.parser().merge(json, struct);
    return struct.build();
  }
}
