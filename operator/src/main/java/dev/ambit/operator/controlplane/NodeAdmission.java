package dev.ambit.operator.controlplane;

import com.google.protobuf.Value;
import dev.ambit.operator.ca.Caller;
import dev.ambit.operator.ca.CallerAuthentication;
import dev.ambit.operator.ca.NodeAuthorization;
import dev.ambit.operator.ca.Refusal;
import dev.ambit.operator.ca.Refusals;
import dev.ambit.operator.xds.StreamAdmission;
import dev.ambit.protocol.xds.Node;
import io.grpc.Status;
import java.util.Optional;

/**
 * Lets node proxies alone see the mesh, and only under their own name: the node id and its metadata
 * have to agree with who the caller was found to be.
 */
final class NodeAdmission implements StreamAdmission {
  private final NodeAuthorization nodes;
  private final Refusals refusals;

  NodeAdmission(NodeAuthorization nodes, Refusals refusals) {
    this.nodes = nodes;
    this.refusals = refusals;
  }

  @Override
  public Optional<Status> refusal(Node node) {
    Caller caller = CallerAuthentication.caller();
    return reason(caller, node)
        .map(
            refusal ->
                refusals.refuse(refusal, caller.identity().uri(), "discovery as " + node.getId()));
  }

  private Optional<Refusal> reason(Caller caller, Node node) {
    if (!nodes.trusts(caller)) {
      return Optional.of(
          new Refusal(
              Refusal.Reason.CALLER_NOT_TRUSTED_NODE,
              caller.account() + " is not a trusted node account"));
    }
    // type~address~pod.namespace~domain
    String[] parts = node.getId().split("~", -1);
    int dot = parts.length == 4 ? parts[2].lastIndexOf('.') : -1;
    if (dot < 0) {
      return mismatch(
          "the node id \"" + node.getId() + "\" is not type~address~pod.namespace~domain");
    }
    String pod = parts[2].substring(0, dot);
    String namespace = parts[2].substring(dot + 1);
    if (!namespace.equals(caller.identity().namespace())) {
      return mismatch("the node id says namespace " + namespace);
    }
    if (caller.pod().isPresent() && !caller.pod().get().name().equals(pod)) {
      return mismatch(
          "the node id says pod " + pod + ", the token pod " + caller.pod().get().name());
    }
    if (differs(node, "NAMESPACE", caller.identity().namespace())
        || differs(node, "SERVICE_ACCOUNT", caller.identity().serviceAccount())) {
      return mismatch("the node's metadata name another namespace or service account");
    }
    return Optional.empty();
  }

  private static boolean differs(Node node, String key, String expected) {
    Value value = node.getMetadata().getFieldsMap().get(key);
    return value != null
        && !value.getStringValue().isEmpty()
        && !value.getStringValue().equals(expected);
  }

  private static Optional<Refusal> mismatch(String detail) {
    return Optional.of(new Refusal(Refusal.Reason.NODE_ID_MISMATCH, detail));
  }
}
