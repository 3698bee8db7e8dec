package dev.ambit.ztunnel.xds;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import dev.ambit.protocol.xds.Node;

/**
 * Who this ztunnel is, as the control plane knows it.
 *
 * @param ip the ztunnel pod's address
 * @param pod its name
 * @param namespace its namespace
 * @param nodeName the node that it serves
 * @param clusterId the cluster that it is in
 */
public record NodeIdentity(
    String ip, String pod, String namespace, String nodeName, String clusterId) {
  Node proto() {
    return Node.newBuilder()
        .setId(
            "ztunnel~" + ip + "~" + pod + "." + namespace + "~" + namespace + ".svc.cluster.local")
        .setMetadata(
            Struct.newBuilder()
                .putFields("NAME", text(pod))
                .putFields("NAMESPACE", text(namespace))
                .putFields("INSTANCE_IPS", text(ip))
                .putFields("NODE_NAME", text(nodeName))
                .putFields("CLUSTER_ID", text(clusterId)))
        .build();
  }

  private static Value text(String value) {
    return Value.newBuilder().setStringValue(value).build();
  }
}
