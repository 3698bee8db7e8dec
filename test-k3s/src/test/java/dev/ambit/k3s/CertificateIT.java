package dev.ambit.k3s;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.protocol.ca.IstioCertificateRequest;
import dev.ambit.protocol.ca.IstioCertificateResponse;
import dev.ambit.protocol.ca.IstioCertificateServiceGrpc;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.authentication.TokenRequestBuilder;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import java.io.ByteArrayInputStream;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.security.KeyPairGenerator;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import javax.security.auth.x500.X500Principal;
import org.bouncycastle.openssl.jcajce.JcaPEMWriter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequestBuilder;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Who gets which certificate: the node proxies' own tokens, used from outside. */
@ExtendWith(ClusterExtension.class)
class CertificateIT {
  private static InstalledAmbit ambit;

  @BeforeAll
  static void install(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    var sample = new Sample(ambit.client());
    sample.namespace("certificates", Map.of(InstalledAmbit.MODE, "ambient"));
    sample.client("certificates", "first", ambit.node(0));
    sample.client("certificates", "second", ambit.node(1));
  }

  @Test
  void a_ztunnel_gets_certificates_for_the_pods_of_its_own_node() throws Exception {
    var response = ask(ambit.ztunnel(ambit.node(0)), "certificates", "first");
    var leaf =
        (X509Certificate)
            CertificateFactory.getInstance("X.509")
                .generateCertificate(
                    new ByteArrayInputStream(
                        response.getCertChain(0).getBytes(StandardCharsets.US_ASCII)));
    assertThat(leaf.getSubjectAlternativeNames())
        .anyMatch(name -> name.get(1).equals("spiffe://cluster.local/ns/certificates/sa/first"));
  }

  @Test
  void an_identity_that_is_not_on_the_node_is_refused_and_logged_with_the_reason() {
    var ztunnel = ambit.ztunnel(ambit.node(0));
    assertThatThrownBy(() -> ask(ztunnel, "certificates", "second"))
        .isInstanceOf(StatusRuntimeException.class)
        .hasMessageMatching("(UNAUTHENTICATED|PERMISSION_DENIED).*");
    assertThat(operators())
        .as("logs of the operator")
        .anyMatch(
            log ->
                log.lines()
                    .anyMatch(
                        line ->
                            line.contains("spiffe://cluster.local/ns/certificates/sa/second")
                                && line.contains(ambit.node(0))));
  }

  @Test
  void a_workloads_own_token_gets_no_other_identity() {
    var pod = ambit.client().pods().inNamespace("certificates").withName("second").require();
    assertThatThrownBy(() -> ask(pod, "certificates", "first"))
        .isInstanceOf(StatusRuntimeException.class);
  }

  private static java.util.List<String> operators() {
    return ambit
        .client()
        .pods()
        .inNamespace(InstalledAmbit.ROOT)
        .withLabel("app.kubernetes.io/name", "ambit-operator")
        .list()
        .getItems()
        .stream()
        .map(ambit::logOf)
        .toList();
  }

  /** Asks for a certificate with the token that a pod has for this. */
  private static IstioCertificateResponse ask(Pod caller, String namespace, String serviceAccount)
      throws Exception {
    var client = ambit.client();
    var token =
        client
            .serviceAccounts()
            .inNamespace(caller.getMetadata().getNamespace())
            .withName(caller.getSpec().getServiceAccountName())
            .tokenRequest(
                new TokenRequestBuilder()
                    .withNewSpec()
                    .withAudiences("istio-ca")
                    .withNewBoundObjectRef()
                    .withApiVersion("v1")
                    .withKind("Pod")
                    .withName(caller.getMetadata().getName())
                    .withUid(caller.getMetadata().getUid())
                    .endBoundObjectRef()
                    .endSpec()
                    .build());
    var root =
        Objects.requireNonNull(
            client
                .configMaps()
                .inNamespace(InstalledAmbit.ROOT)
                .withName("ambit-ca-root-cert")
                .require()
                .getData()
                .get("root-cert.pem"));
    var operator =
        client
            .pods()
            .inNamespace(InstalledAmbit.ROOT)
            .withLabel("app.kubernetes.io/name", "ambit-operator")
            .list()
            .getItems()
            .getFirst();
    var headers = new Metadata();
    headers.put(
        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER),
        "Bearer " + token.getStatus().getToken());
    try (var forward = client.pods().resource(operator).portForward(15012)) {
      var channel =
          NettyChannelBuilder.forAddress("127.0.0.1", forward.getLocalPort())
              .overrideAuthority("ambit-operator.ambit-system.svc")
              .sslContext(
                  GrpcSslContexts.forClient()
                      .trustManager(
                          new ByteArrayInputStream(root.getBytes(StandardCharsets.US_ASCII)))
                      .build())
              .build();
      try {
        return IstioCertificateServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
            .withDeadlineAfter(20, TimeUnit.SECONDS)
            .createCertificate(
                IstioCertificateRequest.newBuilder()
                    .setCsr(request())
                    .setMetadata(
                        Struct.newBuilder()
                            .putFields(
                                "ImpersonatedIdentity",
                                Value.newBuilder()
                                    .setStringValue(
                                        "spiffe://cluster.local/ns/"
                                            + namespace
                                            + "/sa/"
                                            + serviceAccount)
                                    .build()))
                    .build());
      } finally {
        channel.shutdownNow();
      }
    }
  }

  private static String request() throws Exception {
    var generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(256);
    var keys = generator.generateKeyPair();
    var text = new StringWriter();
    try (var pem = new JcaPEMWriter(text)) {
      pem.writeObject(
          new JcaPKCS10CertificationRequestBuilder(new X500Principal(""), keys.getPublic())
              .build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate())));
    }
    return text.toString();
  }
}
