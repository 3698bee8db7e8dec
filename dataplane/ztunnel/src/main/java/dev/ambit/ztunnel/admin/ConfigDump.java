package dev.ambit.ztunnel.admin;

import dev.ambit.protocol.security.Authorization;
import dev.ambit.ztunnel.certificate.CertificateStatus;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.json.JsonWriter;
import dev.ambit.ztunnel.policy.Policy;
import dev.ambit.ztunnel.state.GatewayReference;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.PortMapping;
import dev.ambit.ztunnel.state.ServiceKey;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.zds.LiveConnection;
import dev.ambit.ztunnel.zds.PodStatus;
import io.netty.util.NetUtil;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Writes out all that the ztunnel knows, as JSON with the names that Istio's has. It holds no key.
 */
public final class ConfigDump {
  private ConfigDump() {}

  /** What is dumped. */
  public record Contents(
      Collection<MeshWorkload> workloads,
      List<MeshService> services,
      List<ServiceKey> stagedServices,
      Collection<Policy> policies,
      List<CertificateStatus> certificates,
      List<PodStatus> pods,
      Map<String, String> config,
      String version) {}

  /** The dump. */
  public static String write(Contents contents) {
    StringBuilder out = new StringBuilder(64 << 10);
    JsonWriter json = new JsonWriter(out);
    json.beginObject();
    json.name("workloads").beginArray();
    contents.workloads().stream()
        .sorted(Comparator.comparing(MeshWorkload::uid))
        .forEach(workload -> workload(json, workload));
    json.endArray();
    Map<ServiceKey, List<MeshWorkload>> endpoints = new HashMap<>();
    for (MeshWorkload workload : contents.workloads()) {
      for (ServiceKey key : workload.services().keySet()) {
        endpoints.computeIfAbsent(key, k -> new ArrayList<>()).add(workload);
      }
    }
    json.name("services").beginArray();
    contents.services().stream()
        .sorted(Comparator.comparing(service -> service.key().toString()))
        .forEach(service -> service(json, service, endpoints));
    json.endArray();
    json.field(
        "stagedServices", contents.stagedServices().stream().map(ServiceKey::toString).toList());
    json.name("policies").beginArray();
    contents.policies().stream()
        .sorted(Comparator.comparing(Policy::name))
        .forEach(policy -> policy(json, policy));
    json.endArray();
    json.name("certificates").beginArray();
    contents.certificates().stream()
        .sorted(Comparator.comparing(status -> status.identity().uri()))
        .forEach(status -> certificate(json, status));
    json.endArray();
    json.name("workloadState").beginObject();
    contents.pods().stream()
        .sorted(Comparator.comparing(status -> status.pod().uid()))
        .forEach(status -> pod(json, status));
    json.endObject();
    json.name("version")
        .beginObject()
        .field("version", contents.version())
        .field("java", Runtime.version().toString())
        .endObject();
    json.name("config").beginObject();
    contents.config().forEach(json::field);
    json.endObject();
    json.endObject();
    return out.append('\n').toString();
  }

  private static void workload(JsonWriter json, MeshWorkload workload) {
    json.beginObject()
        .field("uid", workload.uid())
        .field("name", workload.name())
        .field("namespace", workload.namespace())
        .field("trustDomain", workload.identity().trustDomain())
        .field("serviceAccount", workload.identity().serviceAccount())
        .field("workloadIps", workload.addresses().stream().map(NetUtil::toAddressString).toList())
        .field("network", workload.network())
        .field("protocol", workload.tunnelProtocol().name())
        .field("node", workload.node())
        .field("canonicalName", workload.canonicalName())
        .field("canonicalRevision", workload.canonicalRevision())
        .field("workloadName", workload.workloadName())
        .field("workloadType", workload.workloadType())
        .field("status", workload.healthy() ? "Healthy" : "Unhealthy")
        .field("networkMode", workload.hostNetwork() ? "HostNetwork" : "Standard")
        .field("clusterId", workload.clusterId())
        .field("capacity", workload.capacity())
        .field("datagrams", workload.datagrams())
        .field("authorizationPolicies", workload.authorizationPolicies());
    waypoint(json, workload.waypoint());
    json.name("locality")
        .beginObject()
        .field("region", workload.locality().region())
        .field("zone", workload.locality().zone())
        .field("subzone", workload.locality().subzone())
        .endObject();
    json.field("services", workload.services().keySet().stream().map(ServiceKey::toString).toList())
        .endObject();
  }

  private static void waypoint(JsonWriter json, @Nullable GatewayReference waypoint) {
    if (waypoint != null) {
      json.name("waypoint")
          .beginObject()
          .field("destination", waypoint.toString())
          .field("hboneMtlsPort", waypoint.hbonePort())
          .endObject();
    }
  }

  private static void service(
      JsonWriter json, MeshService service, Map<ServiceKey, List<MeshWorkload>> endpoints) {
    json.beginObject()
        .field("name", service.name())
        .field("namespace", service.namespace())
        .field("hostname", service.hostname())
        .field(
            "vips",
            service.addresses().stream()
                .map(
                    address ->
                        address.address().network()
                            + "/"
                            + NetUtil.toAddressString(address.address().address())
                            + (address.isSingle() ? "" : "/" + address.prefixLength()))
                .toList());
    ports(json, service.ports());
    json.field(
        "subjectAltNames", service.subjectAltNames().stream().map(Object::toString).toList());
    waypoint(json, service.waypoint());
    json.name("loadBalancer")
        .beginObject()
        .field("mode", service.loadBalancing().mode().name())
        .field("healthPolicy", service.loadBalancing().healthPolicy().name())
        .field(
            "routingPreferences",
            service.loadBalancing().routingPreference().stream().map(Enum::name).toList())
        .endObject();
    json.name("endpoints").beginObject();
    for (MeshWorkload workload : endpoints.getOrDefault(service.key(), List.of())) {
      json.name(workload.uid()).beginObject().field("workloadUid", workload.uid());
      ports(json, workload.services().getOrDefault(service.key(), List.of()));
      json.field("status", workload.healthy() ? "Healthy" : "Unhealthy").endObject();
    }
    json.endObject().endObject();
  }

  private static void ports(JsonWriter json, List<PortMapping> ports) {
    json.name("ports").beginObject();
    for (PortMapping port : ports) {
      json.field(port.number() + (port.isDatagrams() ? "/UDP" : ""), port.targetPort());
    }
    json.endObject();
  }

  private static void policy(JsonWriter json, Policy policy) {
    Authorization proto = policy.proto();
    json.beginObject()
        .field("name", proto.getName())
        .field("namespace", proto.getNamespace())
        .field("scope", proto.getScope().name())
        .field("action", proto.getAction().name())
        .field("dryRun", policy.dryRun())
        .field("rules", policy.rules().size())
        .field("text", proto.toString())
        .endObject();
  }

  private static void certificate(JsonWriter json, CertificateStatus status) {
    json.beginObject()
        .field("identity", status.identity().uri())
        .field("state", status.state())
        .field("pods", status.pods());
    chain(json, "certChain", status.chain());
    chain(json, "rootCerts", status.roots());
    json.endObject();
  }

  private static void chain(JsonWriter json, String name, List<X509Certificate> chain) {
    json.name(name).beginArray();
    for (X509Certificate certificate : chain) {
      json.beginObject()
          .field("serialNumber", certificate.getSerialNumber().toString())
          .field("validFrom", certificate.getNotBefore().toInstant().toString())
          .field("expirationTime", certificate.getNotAfter().toInstant().toString())
          .field("pem", pem(certificate))
          .endObject();
    }
    json.endArray();
  }

  /** As Istio's dump has it: the PEM text, base64-encoded once more. */
  private static String pem(X509Certificate certificate) {
    try {
      String body =
          Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(certificate.getEncoded());
      String pem = "-----BEGIN CERTIFICATE-----\n" + body + "\n-----END CERTIFICATE-----\n";
      return Base64.getEncoder()
          .encodeToString(pem.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
    } catch (CertificateEncodingException e) {
      throw new IllegalStateException("a parsed certificate can be encoded", e);
    }
  }

  private static void pod(JsonWriter json, PodStatus status) {
    json.name(status.pod().uid()).beginObject().field("state", status.up() ? "Up" : "Pending");
    if (status.failure() != null) {
      json.field("failure", status.failure());
    }
    json.name("connections").beginObject();
    connections(json, "inbound", Reporter.DESTINATION, status.connections());
    connections(json, "outbound", Reporter.SOURCE, status.connections());
    json.endObject()
        .name("info")
        .beginObject()
        .field("name", status.pod().name())
        .field("namespace", status.pod().namespace())
        .field("serviceAccount", status.pod().serviceAccount())
        .endObject()
        .endObject();
  }

  private static String protocol(ConnectionInfo info, boolean datagrams) {
    if (info.hboneAuthority() != null) {
      return "HBONE";
    }
    return datagrams ? "UDP" : "TCP";
  }

  private static void connections(
      JsonWriter json, String name, Reporter reporter, List<LiveConnection> all) {
    json.name(name).beginArray();
    for (LiveConnection connection : all) {
      ConnectionInfo info = connection.info();
      if (info.reporter() != reporter) {
        continue;
      }
      json.beginObject().field("src", NetUtil.toSocketAddressString(info.source()));
      String original =
          connection.originalDestination() == null
              ? info.hboneAuthority()
              : connection.originalDestination();
      if (original != null) {
        json.field("originalDst", original);
      }
      json.field("actualDst", NetUtil.toSocketAddressString(info.destination()))
          .field("protocol", protocol(info, connection.datagrams()));
      if (connection.datagrams()) {
        json.field("transport", "UDP");
      }
      Identity peer =
          switch (reporter) {
            case SOURCE -> info.destinationIdentity();
            case DESTINATION -> info.sourceIdentity();
          };
      if (peer != null) {
        json.field("peerIdentity", peer.uri());
      }
      json.endObject();
    }
    json.endArray();
  }
}
