package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.Node;
import io.grpc.Status;

/** Decides, from who calls and what node it says it is, what a stream may see. */
@FunctionalInterface
public interface StreamAdmission {
  /** What becomes of a stream. */
  sealed interface Admission {
    /** It sees the resources of that realm, and no others. */
    record Admitted(String realm) implements Admission {}

    /** It is ended with that. */
    record Refused(Status status) implements Admission {}
  }

  /** Runs in the call's context. */
  Admission admit(Node node);
}
