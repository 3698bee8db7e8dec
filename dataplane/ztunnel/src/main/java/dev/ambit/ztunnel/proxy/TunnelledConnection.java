package dev.ambit.ztunnel.proxy;

import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.ApplicationTunnel;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.InboundRoute;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.VirtualAddress;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.NetUtil;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** A connection to the pod that arrived through a tunnel. */
final class TunnelledConnection extends ProxiedConnection {
  /** Longer than those have who are asked: a last resort. */
  private static final Duration ROUTE_TIMEOUT = Duration.ofSeconds(20);

  private static final byte[] LOOPBACK_4 = {127, 0, 0, 1};
  private static final byte[] LOOPBACK_6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

  private final InboundTunnel tunnel;
  private final HboneStream stream;
  private final Identity peer;
  private final @Nullable CharSequence method;
  private final String authority;
  private @Nullable MeshWorkload self;
  private @Nullable MeshService service;
  private @Nullable PolicyInput policyInput;
  private InetSocketAddress target;

  private TunnelledConnection(
      InboundTunnel tunnel, HboneStream stream, Http2Headers request, Identity peer) {
    super(tunnel.pod());
    this.tunnel = tunnel;
    this.stream = stream;
    this.peer = peer;
    this.method = request.method();
    CharSequence asked = request.authority();
    this.authority = asked == null ? "" : asked.toString();
    this.target = tunnel.destination();
    StreamEnd end = new StreamEnd(this);
    end.attach(stream);
    stream.handler(end);
    source(end);
  }

  /** Takes over a stream that the peer opened. */
  static void accept(
      InboundTunnel tunnel, HboneStream stream, Http2Headers request, Identity peer) {
    new TunnelledConnection(tunnel, stream, request, peer).begin();
  }

  private void begin() {
    if (method == null || !ConnectHeaders.CONNECT.contentEquals(method)) {
      reject(
          ConnectHeaders.BAD_REQUEST,
          "the request's method is " + method + ", not CONNECT",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    pod()
        .workload(
            this::admit,
            error ->
                reject(
                    ConnectHeaders.SERVICE_UNAVAILABLE,
                    "the pod is not known to the control plane: " + ConnectionFailure.text(error),
                    ResponseFlag.CONNECT_FAILED));
  }

  private void admit(MeshWorkload workload) {
    if (isDone()) {
      return;
    }
    self = workload;
    take(workload, pod().state().inbound(workload, tunnel.destination(), authority));
  }

  private void take(MeshWorkload workload, InboundRoute route) {
    if (isDone()) {
      return;
    }
    switch (route) {
      case InboundRoute.Rejected rejected ->
          reject(rejected.status(), rejected.reason(), ResponseFlag.CONNECT_FAILED);
      case InboundRoute.Accepted accepted -> authorize(workload, accepted);
      case InboundRoute.Awaited awaited ->
          EventLoopAwait.await(
              awaited.route(),
              pod().loop(),
              ROUTE_TIMEOUT,
              found -> take(workload, found),
              error ->
                  reject(
                      ConnectHeaders.SERVICE_UNAVAILABLE,
                      "no way to " + authority + ": " + ConnectionFailure.text(error),
                      ResponseFlag.CONNECT_FAILED));
    }
  }

  private void authorize(MeshWorkload workload, InboundRoute.Accepted accepted) {
    service = accepted.service();
    // Always the pod itself, whatever address was asked for: only the port is the caller's choice.
    target = new InetSocketAddress(tunnel.destination().getAddress(), accepted.port());
    if (ProxySettings.isOwnPort(accepted.port())) {
      reject(
          ConnectHeaders.SERVICE_UNAVAILABLE,
          "port " + accepted.port() + " is the proxy's own",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    PolicyInput input = new PolicyInput(workload, peer, tunnel.source().getAddress(), target);
    policyInput = input;
    Verdict verdict = pod().authorizer().authorize(input);
    noteWay(
        workload,
        accepted.port(),
        tunnel.source().getAddress(),
        verdict instanceof Verdict.Allowed);
    switch (verdict) {
      case Verdict.Denied denied ->
          reject(
              denied.misdirected() ? ConnectHeaders.MISDIRECTED : ConnectHeaders.UNAUTHORIZED,
              PodLoop.describe(denied),
              ResponseFlag.DENIED);
      case Verdict.Allowed allowed -> handOver(workload);
    }
  }

  private void handOver(MeshWorkload workload) {
    ApplicationTunnel wanted = workload.applicationTunnel();
    InetSocketAddress asked = askedFor();
    boolean announce = wanted != null && wanted.proxyProtocol();
    if (announce && asked == null) {
      reject(
          ConnectHeaders.SERVICE_UNAVAILABLE,
          "service " + authority + " has no address to tell the application",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    InetSocketAddress to = target;
    InetAddress from = pod().sourceFor(tunnel.source().getAddress(), to.getAddress());
    if (announce && pod().settings().loopbackForTunnels()) {
      // Such an application learns of the caller otherwise, and may listen on loopback alone.
      byte[] loopback = to.getAddress() instanceof Inet4Address ? LOOPBACK_4 : LOOPBACK_6;
      to = new InetSocketAddress(Addresses.of(loopback), to.getPort());
      from = null; // the kernel takes loopback's own
    }
    connect(
        to,
        from,
        () -> {
          stream.respond(
              ConnectHeaders.response(ConnectHeaders.OK, pod().baggage(workload)), false);
          RelayEnd application = destination();
          if (announce && asked != null && application != null) {
            application.write(
                ProxyProtocolHeader.encode(ByteBufAllocator.DEFAULT, tunnel.source(), asked, peer));
            application.flush();
          }
          establish();
        },
        error ->
            reject(
                ConnectHeaders.SERVICE_UNAVAILABLE,
                "cannot connect to "
                    + Addresses.text(target)
                    + ": "
                    + ConnectionFailure.text(error),
                ResponseFlag.CONNECT_FAILED));
  }

  /** The address that the caller asked for; of a service asked for by name, a virtual one. */
  private @Nullable InetSocketAddress askedFor() {
    int colon = authority.lastIndexOf(':');
    int port = Integer.parseInt(authority.substring(colon + 1));
    boolean brackets = authority.charAt(0) == '[';
    byte[] literal =
        NetUtil.createByteArrayFromIpAddressString(
            brackets ? authority.substring(1, colon - 1) : authority.substring(0, colon));
    if (literal != null) {
      return new InetSocketAddress(Addresses.of(literal), port);
    }
    MeshService named = service;
    InetAddress chosen = null;
    int best = -1;
    String network = self == null ? "" : self.network();
    if (named != null) {
      for (VirtualAddress address : named.addresses()) {
        InetAddress candidate = address.address().address();
        int fit =
            (address.address().network().equals(network) ? 2 : 0)
                + (candidate instanceof Inet4Address ? 1 : 0);
        if (address.isSingle() && fit > best) {
          best = fit;
          chosen = candidate;
        }
      }
    }
    return chosen == null ? null : new InetSocketAddress(chosen, port);
  }

  private void reject(int status, String error, ResponseFlag flag) {
    if (isDone()) {
      return;
    }
    MeshWorkload workload = self;
    stream.respond(
        ConnectHeaders.response(status, workload == null ? "" : pod().baggage(workload)), true);
    abort(error, flag);
  }

  @Override
  HboneConnection tunnel() {
    return tunnel.connection();
  }

  @Override
  @Nullable PolicyInput policyInput() {
    return policyInput;
  }

  @Override
  ConnectionInfo info() {
    InetAddress caller = tunnel.source().getAddress();
    MeshWorkload workload = self;
    return new ConnectionInfo(
        Reporter.DESTINATION,
        tunnel.source(),
        pod().state().byAddress(caller),
        peer,
        target,
        authority,
        new Endpoint(workload, service),
        workload == null ? null : workload.identity());
  }
}
