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
import dev.ambit.ztunnel.telemetry.ConnectionInfo;
import dev.ambit.ztunnel.telemetry.DropReason;
import dev.ambit.ztunnel.telemetry.FlowLog;
import dev.ambit.ztunnel.telemetry.Reporter;
import dev.ambit.ztunnel.telemetry.ResponseFlag;
import dev.ambit.ztunnel.zds.LiveConnection;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.Future;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The UDP flows of one pod on one event loop. */
final class Flows implements PodLoop.Drainable {
  private static final Logger log = LoggerFactory.getLogger(Flows.class);

  private static final long CHECK_SECONDS = 1;
  private static final int PROGRESS_CHECKS = 10;

  /** For bursts of first datagrams. */
  private static final int LISTENER_BUFFER = 1 << 20;

  /** More than fit into that. */
  private static final int MOST_ROUNDS = 64;

  private static final long DENIAL_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final int DENIALS = 256;

  /** One for all pods of a loop: what it holds is gone on before the next is read. */
  private static final FastThreadLocal<DatagramBatch> BATCH =
      new FastThreadLocal<>() {
        @Override
        protected DatagramBatch initialValue() {
          return new DatagramBatch();
        }

        @Override
        protected void onRemoval(DatagramBatch batch) {
          batch.close();
        }
      };

  private final PodLoop pod;
  private final Datagrams datagrams;
  private final FlowAdmission inboundAdmission;
  private final FlowAdmission outboundAdmission;
  private final Map<FlowKey, OutboundFlow> outbound = new HashMap<>();

  /** Flows to the pod by the address and port that its application sees. */
  private final Map<FlowKey, InboundFlow> inbound = new HashMap<>();

  /** The same, of all the pod's loops: plain datagrams come to any. */
  private final Map<FlowKey, InboundFlow> tunnelled;

  private final Set<Flow> all = Collections.newSetFromMap(new IdentityHashMap<>());
  private final List<FlowSocket> listeners = new ArrayList<>();

  /** When a caller's plain datagrams were last said to be denied. */
  private final Map<FlowKey, Long> denials =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<FlowKey, Long> eldest) {
          return size() > DENIALS;
        }
      };

  private @Nullable Future<?> timer;
  private int checks;
  private boolean draining;
  private boolean closed;

  Flows(
      PodLoop pod,
      Datagrams datagrams,
      FlowAdmission inboundAdmission,
      FlowAdmission outboundAdmission,
      Map<FlowKey, InboundFlow> tunnelled) {
    this.pod = pod;
    this.datagrams = datagrams;
    this.inboundAdmission = inboundAdmission;
    this.outboundAdmission = outboundAdmission;
    this.tunnelled = tunnelled;
  }

  PodLoop pod() {
    return pod;
  }

  FlowSettings settings() {
    return datagrams.settings();
  }

  FlowLog log() {
    return datagrams.log();
  }

  FlowAdmission admission() {
    return inboundAdmission;
  }

  DatagramBatch batch() {
    return BATCH.get();
  }

  /** Begins to take datagrams of the pod; on the loop. */
  void listen() throws LinuxException {
    try {
      listen(false);
    } catch (LinuxException e) {
      closeListeners();
      throw e;
    }
    if (pod.settings().ipv6()) {
      try {
        listen(true);
      } catch (LinuxException e) {
        log.atWarn()
            .addKeyValue("namespace", pod.pod().namespace())
            .addKeyValue("pod", pod.pod().name())
            .addKeyValue("reason", e.getMessage())
            .log("cannot take UDP over IPv6, taking it over IPv4 alone");
      }
    }
    pod.addTunnel(this);
  }

  private void listen(boolean ipv6) throws LinuxException {
    listen(ipv6, FlowSettings.OUTBOUND_PORT, this::onCaptured);
    listen(ipv6, FlowSettings.PLAIN_PORT, listener -> onPlain(listener, 0));
    listen(
        ipv6,
        FlowSettings.PLAIN_PORT_OF_CONNECTED,
        listener -> onPlain(listener, FlowSettings.OTHER_SOURCE));
  }

  private void listen(boolean ipv6, int port, java.util.function.Consumer<FlowSocket> reader)
      throws LinuxException {
    FlowSocket listener =
        new FlowSocket(pod.sockets().flowListener(ipv6, port, LISTENER_BUFFER), reader);
    listeners.add(listener);
    listener.register(pod.loop());
  }

  private void closeListeners() {
    listeners.forEach(FlowSocket::close);
    listeners.clear();
  }

  // -- datagrams that the pod sends

  private void onCaptured(FlowSocket listener) {
    // All of them, so that none is overtaken by a later one that finds its flow's own socket.
    for (int round = 0; round < MOST_ROUNDS; round++) {
      DatagramBatch batch = batch();
      int count = batch.receiveAddressed(listener.socket());
      for (int i = 0; i < count; i++) {
        FlowKey key = new FlowKey(batch.source(i), batch.destination(i));
        if (FlowSettings.isOwnPort(key.peer().getPort())) {
          continue; // It was not led here: somebody has called the listener itself.
        }
        onCaptured(key, batch.payload(i));
      }
      if (count < DatagramBatch.SLOTS) {
        return;
      }
    }
  }

  /**
   * A datagram of {@code client} is in the socket of another flow, which was not connected yet when
   * the kernel chose it.
   */
  void onStray(InetSocketAddress client, @Nullable InetSocketAddress to, ByteBuffer payload) {
    if (to != null && to.getPort() != 0) {
      onCaptured(new FlowKey(client, to), payload);
    }
    // Else nothing of the pod's is led there.
  }

  private void onCaptured(FlowKey key, ByteBuffer payload) {
    OutboundFlow flow = outbound.get(key);
    if (flow == null) {
      InboundFlow asked = tunnelled.get(new FlowKey(key.peer(), key.client()));
      if (asked != null) {
        asked.onAnswer(payload);
        return;
      }
      flow = open(key);
    }
    if (flow == null) {
      log().dropped(unopened(key), DropReason.LIMIT, 1);
    } else {
      flow.onFirst(payload);
    }
  }

  /** A new flow; null where there are too many. */
  @Nullable OutboundFlow open(FlowKey key) {
    if (draining || outboundAdmission.admit(key.client().getAddress()) != null) {
      return null;
    }
    OutboundFlow flow = new OutboundFlow(this, key);
    outbound.put(key, flow);
    add(flow);
    flow.begin();
    return flow;
  }

  private ConnectionInfo unopened(FlowKey key) {
    return new ConnectionInfo(
        Reporter.SOURCE,
        key.client(),
        pod.state().byAddress(key.client().getAddress()),
        null,
        key.peer(),
        null,
        Endpoint.UNKNOWN,
        null);
  }

  /** A destination said that it carries UDP, and its ztunnel does not. */
  void noteUnsupported() {
    datagrams.rules().noteUnsupported();
  }

  // -- plain datagrams to the pod

  /**
   * Judges those that the rules lead here: the first of a flow, where policies speak for the pod,
   * and the first in the name of a caller whose flow came through a tunnel before. Once for each
   * flow; the kernel hands on what follows on one that was let through.
   *
   * @param otherSource what makes their source ports what they were
   */
  private void onPlain(FlowSocket listener, int otherSource) {
    DatagramBatch batch = batch();
    int count = batch.receiveAddressed(listener.socket());
    for (int i = 0; i < count; i++) {
      InetSocketAddress seen = batch.source(i);
      InetSocketAddress from =
          new InetSocketAddress(seen.getAddress(), seen.getPort() ^ otherSource);
      InetSocketAddress to = batch.destination(i);
      if (FlowSettings.isOwnPort(to.getPort())) {
        continue;
      }
      byte[] payload = new byte[batch.payload(i).remaining()];
      batch.payload(i).get(payload);
      pod.workload(
          self -> judge(self, from, to, payload),
          error -> denied(null, from, to, "the pod is not known to the control plane"));
    }
  }

  private void judge(
      MeshWorkload self, InetSocketAddress from, InetSocketAddress to, byte[] payload) {
    int mark = datagrams.rules().verdictMark();
    if (tunnelled.containsKey(new FlowKey(from, to))) {
      // Let through, it would lead the answers to the real caller past the tunnel.
      denied(self, from, to, "plain in the name of a caller whose flow comes through a tunnel");
      return;
    }
    if (self.datagramsLeftAlone()) {
      // Policies do not hold for it: it comes here once, since its flow was in a tunnel before.
      handOn(mark, self, from, to, payload);
      return;
    }
    PolicyInput input = new PolicyInput(self, null, from.getAddress(), to);
    switch (pod.authorizer().authorize(input)) {
      case Verdict.Denied verdict -> denied(self, from, to, PodLoop.describe(verdict));
      case Verdict.Allowed allowed -> {
        if (handOn(mark, self, from, to, payload)) {
          log().letInPlain(plain(self, from, to));
        }
      }
    }
  }

  private boolean handOn(
      int mark, MeshWorkload self, InetSocketAddress from, InetSocketAddress to, byte[] payload) {
    try (var socket = pod.sockets().flow(mark, from, to)) {
      DatagramBatch batch = batch();
      batch.staging().put(payload);
      batch.addStaged(payload.length);
      batch.send(socket);
      return true;
    } catch (LinuxException e) {
      denied(self, from, to, "cannot be handed on: " + e.getMessage());
      return false;
    }
  }

  private ConnectionInfo plain(
      @Nullable MeshWorkload self, InetSocketAddress from, InetSocketAddress to) {
    return new ConnectionInfo(
        Reporter.DESTINATION,
        from,
        pod.state().byAddress(from.getAddress()),
        null,
        to,
        null,
        new Endpoint(self, null),
        null);
  }

  private void denied(
      @Nullable MeshWorkload self, InetSocketAddress from, InetSocketAddress to, String reason) {
    ConnectionInfo info = plain(self, from, to);
    log().dropped(info, DropReason.DENIED, 1);
    long now = System.nanoTime();
    Long last = denials.get(new FlowKey(from, to));
    if (last == null || now - last >= DENIAL_NANOS) {
      denials.put(new FlowKey(from, to), now);
      log().failed(info, reason, ResponseFlag.DENIED);
    }
  }

  // -- datagrams from tunnels

  void accept(InboundTunnel tunnel, HboneStream stream, Http2Headers request, Identity proven) {
    InboundFlow.accept(this, tunnel, stream, request, proven);
  }

  /**
   * Whether {@code flow} may stand for this address and port. One that came by another tunnel makes
   * room, since its caller has gone on to this one; two of one tunnel are both in use.
   */
  boolean claim(FlowKey key, InboundFlow flow) {
    InboundFlow present = inbound.get(key);
    if (present != null && present.inboundTunnel() == flow.inboundTunnel()) {
      return false;
    }
    inbound.put(key, flow);
    if (present != null) {
      present.end();
      inbound.put(key, flow);
    }
    tunnelled.put(key, flow);
    return true;
  }

  void unclaim(FlowKey key, InboundFlow flow) {
    inbound.remove(key, flow);
    tunnelled.remove(key, flow);
  }

  // -- all of them

  void add(Flow flow) {
    all.add(flow);
    if (timer == null) {
      timer =
          pod.loop()
              .scheduleAtFixedRate(this::check, CHECK_SECONDS, CHECK_SECONDS, TimeUnit.SECONDS);
    }
  }

  void remove(Flow flow) {
    if (!all.remove(flow)) {
      return;
    }
    if (flow instanceof OutboundFlow ours) {
      outbound.remove(ours.key(), ours);
      outboundAdmission.closed(ours.key().client().getAddress());
    }
    closeIfDone();
  }

  private Flow[] copy() {
    return all.toArray(Flow[]::new);
  }

  private void check() {
    boolean progress = ++checks % PROGRESS_CHECKS == 0;
    for (Flow flow : copy()) {
      if (progress) {
        flow.reportProgress();
      }
      flow.check();
    }
    if (all.isEmpty() && timer != null) {
      timer.cancel(false);
      timer = null;
    }
  }

  /** Judges open flows again. */
  void recheck() {
    for (Flow flow : copy()) {
      PolicyInput input = flow.policyInput();
      if (input != null
          && flow.isOpen()
          && pod.authorizer().reauthorize(input) instanceof Verdict.Denied denied) {
        HboneStream stream = flow.stream();
        if (stream != null) {
          stream.reset(Http2Error.REFUSED_STREAM);
        }
        flow.finish(PodLoop.describe(denied), ResponseFlag.DENIED);
      } else {
        flow.check();
      }
    }
  }

  /** Cuts off those that go through {@code tunnel}. */
  void cut(HboneConnection tunnel, ConnectionFailure failure) {
    for (Flow flow : copy()) {
      if (flow.tunnel() == tunnel) {
        flow.finish(failure.error(), failure.flag());
      }
    }
  }

  List<LiveConnection> open() {
    return all.stream()
        .filter(Flow::isOpen)
        .map(flow -> new LiveConnection(flow.info(), flow.originalDestination(), true))
        .toList();
  }

  @Override
  public void drain() {
    draining = true;
    closeListeners();
    for (Flow flow : copy()) {
      if (flow instanceof OutboundFlow) {
        // The next datagram is another ztunnel's, or goes as if there were no mesh.
        flow.end();
      }
    }
    closeIfDone();
  }

  @Override
  public void retire() {
    // Peers learn it by their tunnels.
  }

  @Override
  public void abort() {
    draining = true;
    closeListeners();
    for (Flow flow : copy()) {
      flow.finish("the pod is being taken out", ResponseFlag.NONE);
    }
    closeIfDone();
  }

  private void closeIfDone() {
    if (draining && all.isEmpty() && !closed) {
      closed = true;
      if (timer != null) {
        timer.cancel(false);
        timer = null;
      }
      pod.removeTunnel(this);
    }
  }
}
