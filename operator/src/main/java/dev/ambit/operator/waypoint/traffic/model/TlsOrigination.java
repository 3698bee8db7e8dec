package dev.ambit.operator.waypoint.traffic.model;

import dev.ambit.operator.waypoint.model.PortProtocol;
import io.envoyproxy.envoy.config.core.v3.DataSource;
import io.envoyproxy.envoy.config.core.v3.UpstreamHttpProtocolOptions;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.CommonTlsContext;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.TlsCertificate;
import io.envoyproxy.envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext;
import io.envoyproxy.envoy.extensions.upstreams.http.v3.HttpProtocolOptions;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.fabric8.istio.api.api.networking.v1alpha3.ClientTLSSettings;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * TLS that a waypoint begins towards a service's endpoints, as a traffic policy has it. Where it
 * cannot be as asked, it is stricter, and never none.
 *
 * @param http what the cluster's HTTP options have to say for it
 */
record TlsOrigination(UpstreamTlsContext context, HttpProtocolOptions http) {
  /** Where Envoy's own image has the public authorities' certificates. */
  static final String SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt";

  private static final List<SubjectAltNameMatcher.SanType> NAME_TYPES =
      List.of(
          SubjectAltNameMatcher.SanType.DNS,
          SubjectAltNameMatcher.SanType.URI,
          SubjectAltNameMatcher.SanType.IP_ADDRESS,
          SubjectAltNameMatcher.SanType.EMAIL);

  /** Translates; empty where none is asked for. */
  static Optional<TlsOrigination> translate(
      String path,
      @Nullable ClientTLSSettings tls,
      String hostname,
      PortProtocol protocol,
      Findings findings) {
    if (tls == null || tls.getMode() == null) {
      return Optional.empty();
    }
    boolean mutual =
        switch (tls.getMode()) {
          case DISABLE -> {
            findings.add(
                path + ".mode",
                "DISABLE holds for endpoints outside the mesh; pods of the mesh are reached by mutual TLS all the same");
            yield false;
          }
          case ISTIO_MUTUAL, SIMPLE -> false;
          case MUTUAL -> true;
        };
    findings.unknown(path, tls.getAdditionalProperties());
    return switch (tls.getMode()) {
      // The mesh's own mutual TLS is HBONE, whatever is written.
      case DISABLE, ISTIO_MUTUAL -> Optional.empty();
      case SIMPLE, MUTUAL ->
          Optional.of(originate(path, tls, mutual, hostname, protocol, findings));
    };
  }

  private static TlsOrigination originate(
      String path,
      ClientTLSSettings tls,
      boolean mutual,
      String hostname,
      PortProtocol protocol,
      Findings findings) {
    CommonTlsContext.Builder common = CommonTlsContext.newBuilder();
    HttpProtocolOptions.Builder http = HttpProtocolOptions.newBuilder();
    UpstreamTlsContext.Builder context = UpstreamTlsContext.newBuilder();
    findings.unlessAbsent(
        path + ".credentialName",
        tls.getCredentialName(),
        "is not supported; name files of the waypoint's own container, or the system's authorities are trusted and no certificate is shown");
    if (mutual) {
      if (isSet(tls.getClientCertificate()) && isSet(tls.getPrivateKey())) {
        common.addTlsCertificates(
            TlsCertificate.newBuilder()
                .setCertificateChain(file(tls.getClientCertificate()))
                .setPrivateKey(file(tls.getPrivateKey())));
      } else if (tls.getCredentialName() == null) {
        findings.add(
            path + ".clientCertificate",
            "MUTUAL needs clientCertificate and privateKey; no certificate is shown");
      }
    } else {
      findings.unlessAbsent(
          path + ".clientCertificate", tls.getClientCertificate(), "is shown with MUTUAL only");
    }
    boolean verified = !Boolean.TRUE.equals(tls.getInsecureSkipVerify());
    boolean named = isSet(tls.getSni());
    List<String> names = tls.getSubjectAltNames() == null ? List.of() : tls.getSubjectAltNames();
    if (named) {
      context.setSni(tls.getSni());
    } else if (protocol.isHttp()) {
      http.setUpstreamHttpProtocolOptions(
          UpstreamHttpProtocolOptions.newBuilder()
              .setAutoSni(true)
              .setAutoSanValidation(verified && names.isEmpty()));
    } else if (!Hosts.isWildcard(hostname)) {
      context.setSni(hostname);
    }
    if (verified) {
      CertificateValidationContext.Builder validation =
          CertificateValidationContext.newBuilder()
              .setTrustedCa(
                  file(
                      !isSet(tls.getCaCertificates()) || tls.getCaCertificates().equals("system")
                          ? SYSTEM_AUTHORITIES
                          : tls.getCaCertificates()));
      if (isSet(tls.getCaCrl())) {
        validation.setCrl(file(tls.getCaCrl()));
      }
      List<String> expected =
          names.isEmpty() && !context.getSni().isEmpty() ? List.of(context.getSni()) : names;
      for (String name : expected) {
        for (SubjectAltNameMatcher.SanType type : NAME_TYPES) {
          validation.addMatchTypedSubjectAltNames(
              SubjectAltNameMatcher.newBuilder()
                  .setSanType(type)
                  .setMatcher(StringMatcher.newBuilder().setExact(name)));
        }
      }
      common.setValidationContext(validation);
    }
    return new TlsOrigination(context.setCommonTlsContext(common).build(), http.build());
  }

  private static boolean isSet(@Nullable String value) {
    return value != null && !value.isEmpty();
  }

  private static DataSource file(String path) {
    return DataSource.newBuilder().setFilename(path).build();
  }
}
