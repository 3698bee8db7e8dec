package dev.ambit.ztunnel.state;

import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Where a connection that arrived through HBONE goes within its pod. */
public sealed interface InboundRoute {
  /**
   * To the pod itself.
   *
   * @param port the pod's port
   * @param service the service that was asked for by name
   */
  record Accepted(int port, @Nullable MeshService service) implements InboundRoute {}

  /**
   * Nowhere.
   *
   * @param status of the answer to CONNECT
   */
  record Rejected(int status, String reason) implements InboundRoute {}

  /**
   * Not known yet: the control plane was asked.
   *
   * @param route completes on any thread, never exceptionally
   */
  record Awaited(CompletionStage<InboundRoute> route) implements InboundRoute {}
}
