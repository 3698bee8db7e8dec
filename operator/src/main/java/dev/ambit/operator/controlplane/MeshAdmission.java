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
import java.util.function.Function;

/**
 * Lets node proxies alone see the mesh, and a waypoint see its own configuration alone; and each
 * only under its own name: the node id and its metadata have to agree with who the caller was found
 * to be.
 */
final class MeshAdmission implements StreamAdmission {
  private static final String WAYPOINT = "waypoint";
  private static final String GATEWAY = "GATEWAY";

  private final NodeAuthorization nodes;
  private final Refusals refusals;
  private final Function<String, Optional<String>> waypointAccounts;

  /**
   * Admits.
   *
   * @param waypointAccounts by "namespace/name" of the Gateway of a waypoint, its service account
   */
  MeshAdmission(
      NodeAuthorization nodes,
      Refusals refusals,
      Function<String, Optional<String>> waypointAccounts) {
    this.nodes = nodes;
    this.refusals = refusals;
    this.waypointAccounts = waypointAccounts;
  }

  private sealed interface Verdict {
    record Admitted(String realm, String client) implements Verdict {}

    record Refused(Refusal refusal) implements Verdict {}

    /** Not an offence: what a waypoint is told may come up only after it. */
    record NotYet(String why) implements Verdict {}
  }

  @Override
  public Admission admit(Node node) {
    Caller caller = CallerAuthentication.caller();
    return switch (verdict(caller, node)) {
      case Verdict.Admitted(String realm, String client) -> new Admission.Admitted(realm, client);
      case Verdict.Refused(Refusal refusal) ->
          new Admission.Refused(
              refusals.refuse(refusal, caller.identity().uri(), "discovery as " + node.getId()));
      case Verdict.NotYet(String why) ->
          new Admission.Refused(Status.UNAVAILABLE.withDescription(why));
    };
  }

  private Verdict verdict(Caller caller, Node node) {
    // type~address~pod.namespace~domain
    String[] parts = node.getId().split("~", -1);
    boolean waypoint = parts[0].equals(WAYPOINT);
    if (!waypoint && !nodes.trusts(caller)) {
      return new Verdict.Refused(
          new Refusal(
              Refusal.Reason.CALLER_NOT_TRUSTED_NODE,
              caller.account() + " is not a trusted node account"));
    }
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
    return waypoint ? ofWaypoint(caller, node, pod) : new Verdict.Admitted(MeshTypes.NODES, "");
  }

  private Verdict ofWaypoint(Caller caller, Node node, String pod) {
    Value gateway = node.getMetadata().getFieldsMap().get(GATEWAY);
    if (gateway == null || gateway.getStringValue().isEmpty()) {
      return mismatch("the node's metadata name no " + GATEWAY);
    }
    String key = caller.identity().namespace() + "/" + gateway.getStringValue();
    Optional<String> account = waypointAccounts.apply(key);
    if (account.isEmpty()) {
      return new Verdict.NotYet("Gateway " + key + " is not a waypoint of this mesh, or not yet");
    }
    if (!account.get().equals(caller.identity().serviceAccount())) {
      return mismatch(
          "the waypoint "
              + key
              + " runs as service account "
              + account.get()
              + ", and the caller is "
              + caller.identity().serviceAccount());
    }
    // Of several pods that one names says where endpoints are near, and nothing else.
    return new Verdict.Admitted(key, pod);
  }

  private static boolean differs(Node node, String key, String expected) {
    Value value = node.getMetadata().getFieldsMap().get(key);
    return value != null
        && !value.getStringValue().isEmpty()
        && !value.getStringValue().equals(expected);
  }

  private static Verdict mismatch(String detail) {
    return new Verdict.Refused(new Refusal(Refusal.Reason.NODE_ID_MISMATCH, detail));
  }
}
