package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.LinuxException;
import dev.ambit.linux.TransparentUdpSocket;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.InboundRoute;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.DropReason;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** A flow to the pod that arrived through a tunnel. */
final class InboundFlow extends Flow {
  private static final Duration ROUTE_TIMEOUT = Duration.ofSeconds(20);

  /** How many answers may be on their way from another event loop. */
  private static final int MAX_HANDED_OVER = 64;

  private final InboundTunnel tunnel;
  private final Identity peer;
  private final @Nullable String authority;
  private final int sourcePort;
  private final AtomicInteger handedOver = new AtomicInteger();
  private final AtomicInteger notHandedOver = new AtomicInteger();
  private boolean admitted;
  private @Nullable FlowKey key;
  private @Nullable MeshWorkload self;
  private @Nullable MeshService service;
  private @Nullable PolicyInput policyInput;
  private InetSocketAddress target;

  private InboundFlow(
      Flows flows, InboundTunnel tunnel, HboneStream opened, Http2Headers request, Identity peer) {
    super(flows);
    this.tunnel = tunnel;
    this.peer = peer;
    this.authority = ConnectHeaders.udpTarget(request);
    this.sourcePort = ConnectHeaders.sourcePort(request);
    this.target = tunnel.destination();
    stream(opened);
    opened.handler(this);
  }

  /** Takes over a stream that the peer opened for datagrams. */
  static void accept(
      Flows flows,
      InboundTunnel tunnel,
      HboneStream stream,
      Http2Headers request,
      Identity proven) {
    InboundFlow flow = new InboundFlow(flows, tunnel, stream, request, proven);
    flows.add(flow);
    flow.begin();
  }

  private void begin() {
    if (authority == null) {
      reject(
          ConnectHeaders.BAD_REQUEST,
          "the request names no UDP target",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    String refusal = flows().admission().admit(tunnel.source().getAddress());
    if (refusal != null) {
      reject(ConnectHeaders.TOO_MANY, refusal, ResponseFlag.CONNECT_FAILED);
      return;
    }
    admitted = true;
    pod()
        .workload(
            workload -> {
              self = workload;
              take(workload, pod().state().inbound(workload, tunnel.destination(), authority));
            },
            error ->
                reject(
                    ConnectHeaders.SERVICE_UNAVAILABLE,
                    "the pod is not known to the control plane: " + ConnectionFailure.text(error),
                    ResponseFlag.CONNECT_FAILED));
  }

  private void take(MeshWorkload workload, InboundRoute route) {
    if (isOver()) {
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
    if (FlowSettings.isOwnPort(accepted.port())) {
      reject(
          ConnectHeaders.SERVICE_UNAVAILABLE,
          "port " + accepted.port() + " is the proxy's own",
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    PolicyInput input = new PolicyInput(workload, peer, tunnel.source().getAddress(), target);
    policyInput = input;
    switch (pod().authorizer().authorize(input)) {
      case Verdict.Denied denied ->
          reject(ConnectHeaders.UNAUTHORIZED, PodLoop.describe(denied), ResponseFlag.DENIED);
      case Verdict.Allowed allowed -> open(workload);
    }
  }

  private void open(MeshWorkload workload) {
    InetAddress caller = pod().sourceFor(tunnel.source().getAddress(), target.getAddress());
    FlowSocket opened;
    try {
      opened = new FlowSocket(connect(caller), this::onReadable);
    } catch (LinuxException e) {
      reject(
          ConnectHeaders.SERVICE_UNAVAILABLE,
          "cannot send to " + Addresses.text(target) + ": " + e.getMessage(),
          ResponseFlag.CONNECT_FAILED);
      return;
    }
    socket(opened);
    opened.register(pod().loop());
    HboneStream from = stream();
    if (from != null) {
      from.respond(ConnectHeaders.udpResponse(pod().baggage(workload)), false);
    }
    establish();
  }

  /** The application sees the caller's own address and port, where these are free. */
  private TransparentUdpSocket connect(@Nullable InetAddress caller) throws LinuxException {
    int mark = pod().settings().mark();
    if (caller == null) {
      return pod().sockets().flow(mark, null, target);
    }
    InetSocketAddress asItIs = new InetSocketAddress(caller, sourcePort);
    FlowKey wanted = new FlowKey(asItIs, target);
    if (sourcePort != 0 && flows().claim(wanted, this)) {
      try {
        TransparentUdpSocket socket = pod().sockets().flow(mark, asItIs, target);
        key = wanted;
        return socket;
      } catch (LinuxException e) {
        // As a port below 1024, which takes a right of its own.
        flows().unclaim(wanted, this);
      }
    }
    return pod().sockets().flow(mark, new InetSocketAddress(caller, 0), target);
  }

  /**
   * An answer that did not come to the flow's own socket, since the application's has the caller's
   * port for all addresses. On any of the pod's loops.
   */
  void onAnswer(ByteBuffer payload) {
    EventLoop loop = pod().loop();
    if (loop.inEventLoop()) {
      pass(payload);
    } else if (handedOver.get() < MAX_HANDED_OVER) {
      handedOver.incrementAndGet();
      byte[] copy = new byte[payload.remaining()];
      payload.get(copy);
      loop.execute(
          () -> {
            handedOver.decrementAndGet();
            pass(ByteBuffer.wrap(copy));
          });
    } else if (notHandedOver.getAndIncrement() == 0) {
      loop.execute(() -> drop(DropReason.TUNNEL_FULL, notHandedOver.getAndSet(0)));
    }
  }

  private void pass(ByteBuffer payload) {
    HboneStream to = stream();
    if (to != null && isOpen()) {
      touch();
      sendThrough(to, payload);
    }
  }

  InboundTunnel inboundTunnel() {
    return tunnel;
  }

  private void reject(int status, String error, ResponseFlag flag) {
    if (isOver()) {
      return;
    }
    MeshWorkload workload = self;
    HboneStream from = stream();
    if (from != null) {
      from.respond(
          ConnectHeaders.response(status, workload == null ? "" : pod().baggage(workload)), true);
    }
    finish(error, flag);
  }

  @Override
  void onPortUnreachable() {
    HboneStream from = stream();
    if (from != null) {
      from.reset(Http2Error.CONNECT_ERROR);
    }
    finish("nobody is at " + Addresses.text(target), ResponseFlag.CONNECT_FAILED);
  }

  @Override
  public void onReset(Http2Error error) {
    HboneStream from = stream();
    boolean lost = from != null && !from.connection().channel().isActive();
    if (isOpen() && lost) {
      finish("the tunnel ended", ResponseFlag.CONNECT_FAILED);
    } else {
      finish(isOpen() ? null : "the tunnel's peer gave up the flow", ResponseFlag.NONE);
    }
  }

  @Override
  void check() {
    long allowed =
        (isReplied() ? flows().settings().idle() : flows().settings().unreplied()).toNanos();
    // The one that began it has the first say.
    if (isOpen() && idleNanos(System.nanoTime()) >= allowed + allowed / 4) {
      end();
    }
  }

  @Override
  void release() {
    if (admitted) {
      admitted = false;
      flows().admission().closed(tunnel.source().getAddress());
    }
    FlowKey claimed = key;
    if (claimed != null) {
      flows().unclaim(claimed, this);
    }
    super.release();
  }

  @Override
  boolean isOutbound() {
    return false;
  }

  @Override
  @Nullable String originalDestination() {
    return null;
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
        new InetSocketAddress(caller, sourcePort == 0 ? tunnel.source().getPort() : sourcePort),
        pod().state().byAddress(caller),
        peer,
        target,
        authority == null ? "" : authority,
        new Endpoint(workload, service),
        workload == null ? null : workload.identity());
  }
}
