package dev.ambit.ztunnel.testing;

import com.google.protobuf.ByteString;
import dev.ambit.protocol.security.Action;
import dev.ambit.protocol.security.Authorization;
import dev.ambit.protocol.security.Clause;
import dev.ambit.protocol.security.Match;
import dev.ambit.protocol.security.Rule;
import dev.ambit.protocol.security.Scope;
import dev.ambit.protocol.security.StringMatch;
import dev.ambit.protocol.workload.Locality;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import dev.ambit.protocol.workload.Service;
import dev.ambit.protocol.workload.Workload;
import java.net.InetAddress;

/**
 * Resources of a large mesh, as a control plane sends them: each workload is an endpoint of one
 * service, and each hundred services share a namespace.
 *
 * @param services how many
 * @param endpoints workloads of each service
 */
public record LargeMesh(int services, int endpoints) {
  private static final int SERVICES_OF_NAMESPACE = 100;
  private static final int NODES = 1_000;
  private static final int ZONES = 3;

  /** How many workloads there are. */
  public int workloads() {
    return services * endpoints;
  }

  public static String namespace(int service) {
    return "team-" + service / SERVICES_OF_NAMESPACE;
  }

  private static String name(int service) {
    return "app-" + service;
  }

  /** An address of 10.0.0.0/8. */
  public static InetAddress address(int workload) {
    return ip(10 << 24 | workload + 1);
  }

  /** The virtual address of a service, in 172.16.0.0/12. */
  public static InetAddress virtualAddress(int service) {
    return ip(172 << 24 | 16 << 16 | service + 1);
  }

  private static InetAddress ip(int bits) {
    return InetAddress.ofLiteral(
        (bits >>> 24)
            + "."
            + (bits >>> 16 & 0xff)
            + "."
            + (bits >>> 8 & 0xff)
            + "."
            + (bits & 0xff));
  }

  public Workload workload(int number) {
    return workload(number, "v1");
  }

  /** A workload in one of its versions. */
  public Workload workload(int number, String revision) {
    int service = number / endpoints;
    String pod = "%s-7d4b9c6f5-%05x".formatted(name(service), number);
    return Workload.newBuilder()
        .setUid("Kubernetes//Pod/" + namespace(service) + "/" + pod)
        .setName(pod)
        .setNamespace(namespace(service))
        .setServiceAccount(name(service))
        .addAddresses(ByteString.copyFrom(address(number).getAddress()))
        .setTunnelProtocol(dev.ambit.protocol.workload.TunnelProtocol.HBONE)
        .setNode("node-" + number % NODES)
        .setCanonicalName(name(service))
        .setCanonicalRevision(revision)
        .setWorkloadName(name(service))
        .setClusterId("Kubernetes")
        .setLocality(
            Locality.newBuilder().setRegion("region").setZone("zone-" + number % NODES % ZONES))
        .putServices(
            MeshFixtures.key(namespace(service), name(service)),
            PortList.newBuilder()
                .addPorts(Port.newBuilder().setServicePort(80).setTargetPort(8080))
                .build())
        .build();
  }

  public Service service(int number) {
    return MeshFixtures.service(
            namespace(number), name(number), virtualAddress(number).getHostAddress())
        .build();
  }

  /** A policy of a namespace that allows ten callers none of which is in the mesh. */
  public static Authorization policy(String namespace, int number, Scope scope) {
    var policy =
        Authorization.newBuilder()
            .setNamespace(namespace)
            .setName("policy-" + number)
            .setScope(scope)
            .setAction(Action.ALLOW);
    for (int rule = 0; rule < 10; rule++) {
      policy.addRules(
          Rule.newBuilder()
              .addClauses(
                  Clause.newBuilder()
                      .addMatches(
                          Match.newBuilder()
                              .addPrincipals(
                                  StringMatch.newBuilder()
                                      .setExact(
                                          "cluster.local/ns/elsewhere/sa/caller-%d-%d"
                                              .formatted(number, rule)))))
              .addClauses(
                  Clause.newBuilder()
                      .addMatches(Match.newBuilder().addDestinationPorts(8000 + rule))));
    }
    return policy.build();
  }
}
