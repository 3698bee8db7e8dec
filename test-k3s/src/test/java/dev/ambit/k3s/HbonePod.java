package dev.ambit.k3s;

import io.fabric8.kubernetes.api.model.Pod;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Objects;

/**
 * A pod that ends and begins its tunnels itself, by an Envoy beside its server: what comes by a
 * tunnel to port 8080 goes to the server, and what its own processes send to {@link #OUTBOUND} goes
 * through a tunnel to port 8080 of a peer. It believes the one whose identity it is told, either
 * way.
 */
record HbonePod(InstalledAmbit ambit, Sample sample, String namespace, String name) {
  static final int OUTBOUND = 9000;

  private static final String IMAGE = "ghcr.io/ambit-mesh/waypoint:0.1.0";

  String identity() {
    return identity(name);
  }

  private String identity(String account) {
    return "spiffe://cluster.local/ns/%s/sa/%s".formatted(namespace, account);
  }

  /**
   * Starts it.
   *
   * @param caller the service account that may call it
   * @param peer a captured pod, whose service account has its name
   */
  Pod start(String node, String caller, Pod peer) {
    sample.serviceAccount(namespace, name);
    var credentials = credentials();
    int key = credentials.indexOf("-----BEGIN PRIVATE KEY");
    sample.apply(
        """
        apiVersion: v1
        kind: Secret
        metadata: {namespace: %s, name: %s}
        stringData:
          certificate.pem: |
        %s
          key.pem: |
        %s
          roots.pem: |
        %s
          envoy.yaml: |
        %s
        """
            .formatted(
                namespace,
                name,
                indented(credentials.substring(0, key)),
                indented(credentials.substring(key)),
                indented(authority("root-cert.pem")),
                indented(
                    configuration(
                        caller, peer.getStatus().getPodIP(), peer.getMetadata().getName()))));
    sample.apply(
        """
        apiVersion: v1
        kind: Pod
        metadata:
          namespace: %1$s
          name: %2$s
          labels: {app: %2$s, networking.istio.io/tunnel: http, istio.io/dataplane-mode: none}
        spec:
          nodeName: %3$s
          serviceAccountName: %2$s
          terminationGracePeriodSeconds: 1
          containers:
          - name: sample
            image: %4$s
            imagePullPolicy: Never
            args: [serve, "8080"]
            readinessProbe: {httpGet: {port: 8080, path: /ready}, periodSeconds: 1}
          - name: envoy
            image: %5$s
            imagePullPolicy: Never
            command: [envoy, --concurrency, "1", -c, /hbone/envoy.yaml]
            readinessProbe: {tcpSocket: {port: 15008}, periodSeconds: 1}
            volumeMounts: [{name: hbone, mountPath: /hbone}]
          volumes: [{name: hbone, secret: {secretName: %2$s}}]
        """
            .formatted(namespace, name, node, Sample.IMAGE, IMAGE));
    return sample.ready(namespace, name);
  }

  private static String indented(String text) {
    return text.indent(4).stripTrailing();
  }

  /** What the mesh's authority is made of. */
  private String authority(String key) {
    var secret =
        ambit.client().secrets().inNamespace(InstalledAmbit.ROOT).withName("ambit-ca").get();
    return new String(
        Base64.getDecoder().decode(Objects.requireNonNull(secret).getData().get(key)),
        StandardCharsets.US_ASCII);
  }

  /** A certificate of the mesh's authority, and its key. */
  private String credentials() {
    return ambit
        .cluster()
        .server()
        .shell(
            """
            set -e
            cd "$(mktemp -d)"
            trap 'rm -rf "$PWD"' EXIT
            cat >ca.pem <<'END'
            %s
            END
            cat >ca.key <<'END'
            %s
            END
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj / -keyout key.pem -out request.pem 2>/dev/null
            printf 'subjectAltName=critical,URI:%s\\nkeyUsage=critical,digitalSignature\\nextendedKeyUsage=serverAuth,clientAuth\\n' >extensions
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -set_serial 1 -days 1 -extfile extensions 2>/dev/null
            cat key.pem
            """
                .formatted(authority("ca-cert.pem"), authority("ca-key.pem"), identity()))
        .orThrow();
  }

  private String configuration(String caller, String peer, String account) {
    return """
    static_resources:
      listeners:
      - name: inbound
        address: {socket_address: {address: 0.0.0.0, port_value: 15008}}
        filter_chains:
        - transport_socket:
            name: tls
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
              require_client_certificate: true
              common_tls_context: %1$s
          filters:
          - name: tunnels
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
              stat_prefix: inbound
              codec_type: HTTP2
              http2_protocol_options: {allow_connect: true}
              upgrade_configs: [{upgrade_type: CONNECT}]
              route_config:
                virtual_hosts:
                - name: tunnels
                  domains: ["*"]
                  routes:
                  - match: {connect_matcher: {}}
                    route: {cluster: server, timeout: 0s, upgrade_configs: [{upgrade_type: CONNECT, connect_config: {}}]}
              http_filters:
              - name: router
                typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
      - name: outbound
        address: {socket_address: {address: 127.0.0.1, port_value: %2$d}}
        filter_chains:
        - filters:
          - name: tunnel
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
              stat_prefix: outbound
              cluster: peer
              tunneling_config: {hostname: "%3$s:8080"}
      clusters:
      - name: server
        load_assignment:
          cluster_name: server
          endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 8080}}}}]}]
      - name: peer
        typed_extension_protocol_options:
          envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
            "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
            explicit_http_config: {http2_protocol_options: {allow_connect: true}}
        transport_socket:
          name: tls
          typed_config:
            "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
            common_tls_context: %4$s
        load_assignment:
          cluster_name: peer
          endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: %3$s, port_value: 15008}}}}]}]
    """
        .formatted(tls(identity(caller)), OUTBOUND, peer, tls(identity(account)));
  }

  private static String tls(String peer) {
    return """
    {alpn_protocols: [h2], tls_params: {tls_minimum_protocol_version: TLSv1_3, tls_maximum_protocol_version: TLSv1_3}, \
    tls_certificates: [{certificate_chain: {filename: /hbone/certificate.pem}, private_key: {filename: /hbone/key.pem}}], \
    validation_context: {trusted_ca: {filename: /hbone/roots.pem}, match_typed_subject_alt_names: [{san_type: URI, matcher: {exact: "%s"}}]}}"""
        .formatted(peer);
  }
}
