package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.epoll.EpollSocketChannel;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** A connection to the pod that arrived in plain text: from nobody, as far as policies go. */
final class PassthroughConnection extends ProxiedConnection {
  private final InetSocketAddress source;
  private final InetSocketAddress destination;
  private @Nullable MeshWorkload self;
  private @Nullable PolicyInput policyInput;

  private PassthroughConnection(PodLoop pod, EpollSocketChannel channel) {
    super(pod);
    source = Addresses.plain(channel.remoteAddress());
    destination = OriginalDestination.of(channel);
    source(new SocketEnd(this, channel));
  }

  /** Takes over a connection that was redirected here. */
  static void accept(PodLoop pod, EpollSocketChannel channel) {
    new PassthroughConnection(pod, channel).begin();
  }

  private void begin() {
    if (ProxySettings.isOwnPort(destination.getPort())) {
      abort(
          Addresses.text(destination) + " is the proxy's own port: it would call itself",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    pod()
        .workload(
            this::authorize,
            error ->
                abort(
                    ConnectionFailure.of(
                        "the pod is not known to the control plane",
                        error,
                        ResponseFlag.CONNECT_FAILED)));
  }

  private void authorize(MeshWorkload workload) {
    if (isDone()) {
      return;
    }
    self = workload;
    PolicyInput input = new PolicyInput(workload, null, source.getAddress(), destination);
    policyInput = input;
    Verdict verdict = pod().authorizer().authorize(input);
    noteWay(
        workload, destination.getPort(), source.getAddress(), verdict instanceof Verdict.Allowed);
    switch (verdict) {
      case Verdict.Denied denied -> abort(PodLoop.describe(denied), ResponseFlag.DENIED);
      case Verdict.Allowed allowed ->
          connect(
              destination,
              pod().sourceFor(source.getAddress(), destination.getAddress()),
              this::establish,
              error ->
                  abort(
                      ConnectionFailure.of(
                          "cannot connect to " + Addresses.text(destination),
                          error,
                          ResponseFlag.CONNECT_FAILED)));
    }
  }

  @Override
  @Nullable PolicyInput policyInput() {
    return policyInput;
  }

  @Override
  ConnectionInfo info() {
    return new ConnectionInfo(
        Reporter.DESTINATION,
        source,
        pod().state().byAddress(source.getAddress()),
        null,
        destination,
        null,
        new Endpoint(self, null),
        null);
  }
}
