package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.Node;
import io.grpc.Status;
import java.util.Optional;

/** Decides, from who calls and what node it says it is, whether a stream may go on. */
@FunctionalInterface
public interface StreamAdmission {
  /** What to end the stream with, or nothing. Runs in the call's context. */
  Optional<Status> refusal(Node node);
}
