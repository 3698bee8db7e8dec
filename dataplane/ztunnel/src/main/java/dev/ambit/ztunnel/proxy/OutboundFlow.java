package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.DatagramBatch;
import dev.ambit.linux.LinuxException;
import dev.ambit.ztunnel.hbone.HboneConnection;
import dev.ambit.ztunnel.hbone.HboneStream;
import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.policy.Verdict;
import dev.ambit.ztunnel.state.Endpoint;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.state.OutboundRoute;
import dev.ambit.ztunnel.state.TunnelProtocol;
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.DropReason;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A flow that a socket of the pod began: through a tunnel; plain, where the destination carries no
 * UDP in tunnels and policies allow plain text; or not at all. It keeps to its endpoint, and finds
 * another when that one goes.
 */
final class OutboundFlow extends Flow implements TunnelUser {
  private static final int MAX_ATTEMPTS = 3;
  private static final int MAX_TUNNELS = 2;

  /** What is kept until the flow is open. */
  private static final int MAX_EARLY = 64;

  private static final int MAX_EARLY_BYTES = 256 << 10;

  /** How long what was refused stays so, so that a flood asks only now and then. */
  private static final long REFUSED_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final FlowKey key;
  private final ArrayDeque<byte[]> early = new ArrayDeque<>();
  private int earlyBytes;
  private @Nullable MeshWorkload workload;
  private @Nullable OutboundRoute route;
  private @Nullable Identity peer;
  private @Nullable FlowSocket outside;
  private Set<String> tried = Set.of();
  private int attempts = 1;
  private int tunnels;
  private boolean refused;
  private long refusedAtNanos;

  OutboundFlow(Flows flows, FlowKey key) {
    super(flows);
    this.key = key;
  }

  FlowKey key() {
    return key;
  }

  /** Begins, with nothing sent yet. */
  void begin() {
    try {
      FlowSocket opened =
          new FlowSocket(
              pod().sockets().flow(FlowSettings.REPLY_MARK, key.peer(), key.client()),
              this::onReadable);
      socket(opened);
      opened.register(pod().loop());
    } catch (LinuxException e) {
      refuse(ConnectionFailure.of("cannot open a socket", e, ResponseFlag.CONNECT_FAILED).asOurs());
      return;
    }
    pod()
        .workload(
            this::follow,
            error ->
                refuse(
                    ConnectionFailure.of(
                        "the pod is not known to the control plane",
                        error,
                        ResponseFlag.CONNECT_FAILED)));
  }

  private void follow(MeshWorkload self) {
    if (isDone()) {
      return;
    }
    workload = self;
    take(self, pod().state().datagrams(self, key.peer(), tried));
  }

  private void take(MeshWorkload self, OutboundRoute chosen) {
    route = chosen;
    switch (chosen) {
      case OutboundRoute.Tunnel tunnel -> {
        tunnels = 0;
        openTunnel(self, tunnel);
      }
      case OutboundRoute.Plain plain -> goPlain(plain.to(), plain.destination());
      case OutboundRoute.Refused no ->
          attemptFailed(new ConnectionFailure(no.reason(), ResponseFlag.CONNECT_FAILED));
      case OutboundRoute.Awaited awaited ->
          refuse(
              new ConnectionFailure(
                  "the control plane was not asked for it yet", ResponseFlag.CONNECT_FAILED));
    }
  }

  private void openTunnel(MeshWorkload self, OutboundRoute.Tunnel tunnel) {
    tunnels++;
    pod().pool(new PoolKey(self.identity(), tunnel.nextHop(), tunnel.expected())).acquire(this);
  }

  // -- the tunnel

  @Override
  public boolean isDone() {
    return isOver() || refused;
  }

  @Override
  public boolean needsSettings() {
    return true;
  }

  @Override
  public void openOn(HboneConnection tunnel, Identity proven) {
    MeshWorkload self = workload;
    if (isDone() || self == null || !(route instanceof OutboundRoute.Tunnel wanted)) {
      return;
    }
    if (!tunnel.takesExtendedConnect()) {
      // Its ztunnel is older than what the control plane says of it.
      InetSocketAddress there = ConnectHeaders.address(wanted.authority());
      flows().noteUnsupported();
      goPlain(there, wanted.destination());
      return;
    }
    peer = proven;
    Http2Headers request =
        ConnectHeaders.udpRequest(
            Addresses.text(wanted.nextHop()),
            wanted.authority(),
            pod().baggage(self),
            key.client(),
            wanted.destination().service());
    stream(tunnel.open(request, this));
  }

  @Override
  public void onTunnelFailure(ConnectionFailure failure) {
    attemptFailed(failure);
  }

  private void attemptFailed(ConnectionFailure failure) {
    MeshWorkload self = workload;
    String chosen = route == null ? "" : route.chosen();
    if (isDone()) {
      return;
    }
    if (self == null || chosen.isEmpty() || failure.ours() || attempts >= MAX_ATTEMPTS) {
      refuse(failure);
      return;
    }
    Set<String> failed = new HashSet<>(tried);
    failed.add(chosen);
    tried = failed;
    OutboundRoute other = pod().state().datagrams(self, key.peer(), failed);
    if (other instanceof OutboundRoute.Refused) {
      refuse(failure);
      return;
    }
    attempts++;
    peer = null;
    take(self, other);
  }

  @Override
  public void onResponse(Http2Headers headers) {
    if (isDone()) {
      return;
    }
    CharSequence status = headers.status();
    if (status != null && "200".contentEquals(status)) {
      open();
      return;
    }
    boolean denied = status != null && "401".contentEquals(status);
    ConnectionFailure failure =
        new ConnectionFailure(
            "the next hop answered CONNECT with " + status,
            denied ? ResponseFlag.DENIED : ResponseFlag.CONNECT_FAILED);
    leaveStream();
    if (status != null && "503".contentEquals(status)) {
      attemptFailed(failure);
    } else {
      refuse(failure);
    }
  }

  private void leaveStream() {
    HboneStream left = stream();
    stream(null);
    if (left != null) {
      left.reset(Http2Error.CANCEL);
    }
  }

  private void open() {
    touch();
    establish();
    byte[] next;
    while ((next = early.poll()) != null) {
      earlyBytes -= next.length;
      pass(ByteBuffer.wrap(next));
    }
  }

  private void pass(ByteBuffer payload) {
    HboneStream through = stream();
    FlowSocket plain = outside;
    if (through != null) {
      sendThrough(through, payload);
    } else if (plain != null) {
      DatagramBatch batch = flows().batch();
      int length = payload.remaining();
      batch.staging().put(payload);
      batch.addStaged(length);
      sendOutside(plain, batch, length);
    }
  }

  // -- plain

  /** Never instead of a tunnel that failed: only where the other side knows none for UDP. */
  private void goPlain(InetSocketAddress to, Endpoint endpoint) {
    MeshWorkload self = workload;
    MeshWorkload destination = endpoint.workload();
    if (destination != null
        && destination.tunnelProtocol() == TunnelProtocol.HBONE
        && !destination.datagramsLeftAlone()) {
      PolicyInput input = new PolicyInput(destination, null, key.client().getAddress(), to);
      if (pod().authorizer().reauthorize(input) instanceof Verdict.Denied denied) {
        refuse(
            new ConnectionFailure(
                "the destination's ztunnel carries no UDP, and plain text is "
                    + PodLoop.describe(denied),
                ResponseFlag.DENIED));
        return;
      }
    }
    String chosen = route == null ? "" : route.chosen();
    route = new OutboundRoute.Plain(to, endpoint, chosen);
    peer = null;
    if (self == null) {
      return;
    }
    try {
      FlowSocket plain =
          new FlowSocket(
              pod().sockets().flow(pod().settings().mark(), null, to), this::onAnswerReadable);
      outside = plain;
      plain.register(pod().loop());
    } catch (LinuxException e) {
      refuse(
          ConnectionFailure.of(
              "cannot send to " + Addresses.text(to), e, ResponseFlag.CONNECT_FAILED));
      return;
    }
    open();
  }

  private void onAnswerReadable(FlowSocket from) {
    DatagramBatch batch = flows().batch();
    int count = batch.receive(from.socket());
    if (count < 0) {
      onSocketError(-count);
      return;
    }
    touch();
    for (int i = 0; i < count; i++) {
      if (batch.isFromPeer(i)) {
        countOut(batch.payload(i).remaining());
        batch.addReceived(i);
      }
    }
    settle();
  }

  private void sendOutside(FlowSocket to, DatagramBatch batch, int bytes) {
    int count = batch.added();
    int sent = batch.send(to.socket());
    int errno = batch.sendError();
    if (sent < count) {
      drop(
          errno == DatagramBatch.ECONNREFUSED ? DropReason.REFUSED : DropReason.SOCKET,
          count - sent);
      onSocketError(errno);
    }
    for (int i = 0; i < sent; i++) {
      countIn(i == 0 ? bytes : 0);
    }
  }

  // -- what the application sends

  /** A datagram that came before the flow had its own socket, or has not reached it. */
  void onFirst(ByteBuffer payload) {
    touch();
    if (refused) {
      drop(DropReason.REFUSED, 1);
    } else if (isOpen()) {
      pass(payload);
    } else {
      keep(payload);
    }
  }

  private void keep(ByteBuffer payload) {
    int length = payload.remaining();
    if (early.size() >= MAX_EARLY || earlyBytes + length > MAX_EARLY_BYTES) {
      drop(DropReason.NOT_OPEN, 1);
      return;
    }
    byte[] copy = new byte[length];
    payload.get(copy);
    early.add(copy);
    earlyBytes += length;
  }

  @Override
  void onDatagrams(DatagramBatch batch, int first, int end) {
    HboneStream through = stream();
    FlowSocket plain = outside;
    if (refused) {
      drop(DropReason.REFUSED, end - first);
    } else if (!isOpen()) {
      for (int i = first; i < end; i++) {
        keep(batch.payload(i));
      }
    } else if (through != null) {
      if (through.connection().isEnding()) {
        for (int i = first; i < end; i++) {
          keep(batch.payload(i));
        }
        move();
      } else {
        sendThrough(through, batch, first, end);
      }
    } else if (plain != null) {
      int bytes = 0;
      for (int i = first; i < end; i++) {
        bytes += batch.payload(i).remaining();
        batch.addReceived(i);
      }
      sendOutside(plain, batch, bytes);
    }
  }

  /** Goes on as a new flow, which finds its own way; what was kept goes with it. */
  private void move() {
    HboneStream left = stream();
    ArrayDeque<byte[]> kept = new ArrayDeque<>(early);
    early.clear();
    if (left != null) {
      left.end();
    }
    end();
    OutboundFlow next = flows().open(key);
    if (next == null) {
      flows().log().dropped(info(), DropReason.LIMIT, kept.size());
    } else {
      kept.forEach(datagram -> next.onFirst(ByteBuffer.wrap(datagram)));
    }
  }

  // -- how it ends

  /** From now on, for a little while, what comes is dropped; the application is told. */
  private void refuse(ConnectionFailure failure) {
    if (isDone()) {
      return;
    }
    refused = true;
    refusedAtNanos = System.nanoTime();
    leaveStream();
    report(failure.error(), failure.flag());
    if (!early.isEmpty()) {
      drop(DropReason.REFUSED, early.size());
      early.clear();
      earlyBytes = 0;
    }
    tellUnreachable();
  }

  private void tellUnreachable() {
    pod().sockets().portUnreachable(key.client(), key.peer(), FlowSettings.REPLY_MARK);
  }

  @Override
  void onPortUnreachable() {
    if (outside != null) {
      tellUnreachable();
      finish("nobody is at " + Addresses.text(info().destination()), ResponseFlag.CONNECT_FAILED);
    }
    // Else it is the application that has closed its socket, and may not want answers any more.
  }

  @Override
  public void onReset(Http2Error error) {
    HboneStream broken = stream();
    boolean lost = broken != null && !broken.connection().channel().isActive();
    stream(null);
    if (isDone()) {
      return;
    }
    if (!isOpen()) {
      if ((error == Http2Error.REFUSED_STREAM || lost)
          && tunnels < MAX_TUNNELS
          && workload != null
          && route instanceof OutboundRoute.Tunnel tunnel) {
        openTunnel(workload, tunnel);
      } else {
        attemptFailed(
            new ConnectionFailure(
                "the next hop refused the stream: " + error, ResponseFlag.CONNECT_FAILED));
      }
      return;
    }
    if (error == Http2Error.CONNECT_ERROR && !lost) {
      // RFC 9298, section 3.1, leaves it open how; this is what an Ambit ztunnel says.
      tellUnreachable();
      finish("nobody is at the destination's port", ResponseFlag.CONNECT_FAILED);
    } else if (error == Http2Error.NO_ERROR || error == Http2Error.CANCEL) {
      finish(null, ResponseFlag.NONE);
    } else {
      finish(
          lost ? "the tunnel ended" : "the tunnel's peer reset the flow: " + error,
          ResponseFlag.CONNECT_FAILED);
    }
  }

  @Override
  void check() {
    long now = System.nanoTime();
    if (refused) {
      if (now - refusedAtNanos >= REFUSED_NANOS) {
        release();
      }
      return;
    }
    if (!isOpen()) {
      return;
    }
    HboneConnection through = tunnel();
    long allowed =
        (isReplied() ? flows().settings().idle() : flows().settings().unreplied()).toNanos();
    if (idleNanos(now) >= allowed
        || (through != null && through.isEnding())
        || endpointIsGone()
        || isLeftAlone()) {
      // The next datagram begins a new flow, which finds its own way, or goes as if there were no
      // mesh: its destination refuses plain ones for as long as this flow is there.
      end();
    } else if (outside != null && isDeniedPlain()) {
      finish("plain text is not allowed any more", ResponseFlag.DENIED);
    }
  }

  private boolean isDeniedPlain() {
    OutboundRoute now = route;
    MeshWorkload destination = now == null ? null : now.destination().workload();
    return now instanceof OutboundRoute.Plain plain
        && destination != null
        && destination.tunnelProtocol() == TunnelProtocol.HBONE
        && pod()
                .authorizer()
                .reauthorize(
                    new PolicyInput(destination, null, key.client().getAddress(), plain.to()))
            instanceof Verdict.Denied;
  }

  /** Whether its pod's UDP is none of the mesh's business any more. */
  private boolean isLeftAlone() {
    MeshWorkload self = workload;
    MeshWorkload now = self == null ? null : pod().state().workload(self.uid());
    return now != null && now.datagramsLeftAlone();
  }

  private boolean endpointIsGone() {
    OutboundRoute taken = route;
    MeshWorkload chosen = taken == null ? null : taken.destination().workload();
    if (taken == null || chosen == null) {
      return false;
    }
    MeshWorkload now = pod().state().workload(chosen.uid());
    return now == null
        || (now != chosen
            && (!now.addresses().equals(chosen.addresses())
                || now.tunnelProtocol() != chosen.tunnelProtocol()
                || now.datagrams() != chosen.datagrams()
                || !now.identity().equals(chosen.identity())
                || (!taken.chosen().isEmpty() && !now.healthy())));
  }

  @Override
  void release() {
    FlowSocket plain = outside;
    if (plain != null) {
      plain.close();
    }
    early.clear();
    super.release();
  }

  @Override
  boolean isOutbound() {
    return true;
  }

  @Override
  String originalDestination() {
    return Addresses.text(key.peer());
  }

  @Override
  @Nullable PolicyInput policyInput() {
    return null;
  }

  @Override
  ConnectionInfo info() {
    MeshWorkload self = workload;
    OutboundRoute chosen = route;
    InetSocketAddress hop = key.peer();
    String authority = null;
    Identity sourceIdentity = null;
    Identity destinationIdentity = null;
    switch (chosen) {
      case OutboundRoute.Tunnel tunnel -> {
        hop = tunnel.nextHop();
        authority = tunnel.authority();
        sourceIdentity = self == null ? null : self.identity();
        destinationIdentity = peer;
      }
      case OutboundRoute.Plain plain -> hop = plain.to();
      case OutboundRoute.Refused no -> {}
      case OutboundRoute.Awaited awaited -> {}
      case null -> {}
    }
    return new ConnectionInfo(
        Reporter.SOURCE,
        key.client(),
        self,
        sourceIdentity,
        hop,
        authority,
        chosen == null ? Endpoint.UNKNOWN : chosen.destination(),
        destinationIdentity,
        attempts);
  }
}
