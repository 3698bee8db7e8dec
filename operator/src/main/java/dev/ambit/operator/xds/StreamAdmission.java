package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.Node;
import io.grpc.Status;

/** Decides, from who calls and what node it says it is, what a stream may see. */
@FunctionalInterface
public interface StreamAdmission {
  /** What becomes of a stream. */
  sealed interface Admission {
    /**
     * It sees the resources of that realm, and no others.
     *
     * @param client of what resources have for single clients, whose it is given; may be empty
     */
    record Admitted(String realm, String client) implements Admission {
      /** As any other client of the realm. */
      public Admitted(String realm) {
        this(realm, "");
      }
    }

    /** It is ended with that. */
    record Refused(Status status) implements Admission {}
  }

  /** Runs in the call's context. */
  Admission admit(Node node);
}
