package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.policy.PolicyInput;
import dev.ambit.ztunnel.state.MeshService;
import dev.ambit.ztunnel.state.MeshWorkload;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes a line for each connection. Lines are formatted and written by one thread of its own,
 * those that come close together at once: to be woken for each would cost more than the line.
 * Whoever reports a connection only queues it, and where too many wait the line is dropped and
 * counted. Which lines are written follows the level of the logger {@code access}.
 */
public final class AccessLog implements AutoCloseable {
  private static final Logger level = LoggerFactory.getLogger("access");
  private static final int MOST_WAITING = 8192;

  /** So many are written without waiting for more. */
  private static final int ENOUGH = 1024;

  /** For how long the first of them waits for others. */
  private static final long GATHER_NANOS = TimeUnit.MILLISECONDS.toNanos(10);

  private static final int FLUSH_AT = 64 << 10;
  private static final String SCOPE = "access";

  private final LogFormat format;
  private final OutputStream to;
  private final LongAdder dropped = new LongAdder();
  private final Thread writer;

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition due = lock.newCondition();

  // Guarded by the lock.
  private List<Event> waiting = new ArrayList<>();
  private boolean ended;

  private sealed interface Event {
    record Opened(ConnectionInfo info, Instant time) implements Event {}

    record Closed(
        ConnectionInfo info,
        Instant time,
        long sent,
        long received,
        long nanos,
        @Nullable String error)
        implements Event {}

    record Failed(ConnectionInfo info, Instant time, String error) implements Event {}

    record Retried(ConnectionInfo info, Instant time, String error) implements Event {}

    record Flow(
        ConnectionInfo info,
        Instant time,
        boolean opened,
        FlowCounts counts,
        long nanos,
        @Nullable String error)
        implements Event {}

    record DryRun(String policy, boolean wouldDeny, PolicyInput input, Instant time)
        implements Event {}
  }

  /** The fields of one of a connection's ends. */
  private enum End {
    SOURCE("src"),
    DESTINATION("dst");

    private final String workload;
    private final String namespace;
    private final String identity;
    private final String cluster;

    End(String name) {
      workload = name + ".workload";
      namespace = name + ".namespace";
      identity = name + ".identity";
      cluster = name + ".cluster";
    }
  }

  /**
   * @param to standard output; never closed
   */
  public AccessLog(LogFormat format, OutputStream to) {
    this.format = format;
    this.to = to;
    this.writer = Thread.ofPlatform().name("access-log").daemon().start(this::write);
  }

  void opened(ConnectionInfo info) {
    if (level.isDebugEnabled()) {
      offer(new Event.Opened(info, Instant.now()));
    }
  }

  void closed(ConnectionInfo info, long sent, long received, long nanos, @Nullable String error) {
    if (error == null ? level.isInfoEnabled() : level.isErrorEnabled()) {
      offer(new Event.Closed(info, Instant.now(), sent, received, nanos, error));
    }
  }

  void retried(ConnectionInfo info, String error) {
    if (level.isDebugEnabled()) {
      offer(new Event.Retried(info, Instant.now(), error));
    }
  }

  void failed(ConnectionInfo info, String error) {
    if (level.isWarnEnabled()) {
      offer(new Event.Failed(info, Instant.now(), error));
    }
  }

  /**
   * A flow of datagrams is over, or never was open.
   *
   * @param opened whether it was
   */
  void flow(
      ConnectionInfo info, boolean opened, FlowCounts counts, long nanos, @Nullable String error) {
    if (!opened
        ? level.isWarnEnabled()
        : error == null ? level.isInfoEnabled() : level.isErrorEnabled()) {
      offer(new Event.Flow(info, Instant.now(), opened, counts, nanos, error));
    }
  }

  void dryRun(String policy, boolean wouldDeny, PolicyInput input) {
    if (level.isInfoEnabled()) {
      offer(new Event.DryRun(policy, wouldDeny, input, Instant.now()));
    }
  }

  private void offer(Event event) {
    lock.lock();
    try {
      int before = waiting.size();
      if (before == MOST_WAITING || ended) {
        dropped.increment();
        return;
      }
      waiting.add(event);
      if (before == 0 || before == ENOUGH - 1) {
        due.signal();
      }
    } finally {
      lock.unlock();
    }
  }

  /** How many lines were dropped because too many waited. */
  long dropped() {
    return dropped.sum();
  }

  /** Writes what waits, for at most a second, and ends. */
  @Override
  public void close() throws InterruptedException {
    lock.lock();
    try {
      ended = true;
      due.signal();
    } finally {
      lock.unlock();
    }
    writer.join(1000);
  }

  private void write() {
    StringBuilder text = new StringBuilder(FLUSH_AT + 2048);
    List<Event> events = new ArrayList<>();
    try {
      do {
        events = gather(events);
        for (Event event : events) {
          format(event, text);
          if (text.length() >= FLUSH_AT) {
            flush(text);
          }
        }
        if (!text.isEmpty()) {
          flush(text);
        }
      } while (!events.isEmpty());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Waits for the first, and a little for more.
   *
   * @param written those from before, whose list is used again
   * @return empty at the end
   */
  private List<Event> gather(List<Event> written) throws InterruptedException {
    written.clear();
    lock.lock();
    try {
      while (waiting.isEmpty() && !ended) {
        due.await();
      }
      long left = GATHER_NANOS;
      while (waiting.size() < ENOUGH && !ended && left > 0) {
        left = due.awaitNanos(left);
      }
      List<Event> gathered = waiting;
      waiting = written;
      return gathered;
    } finally {
      lock.unlock();
    }
  }

  private void flush(StringBuilder text) {
    try {
      to.write(text.toString().getBytes(StandardCharsets.UTF_8));
      to.flush();
    } catch (IOException e) {
      // Nowhere is left to say so; the count shows it.
      dropped.increment();
    }
    text.setLength(0);
  }

  private void format(Event event, StringBuilder text) {
    LogLine line = new LogLine(format, text);
    switch (event) {
      case Event.Opened(ConnectionInfo info, Instant time) -> {
        line.begin(time, "debug", SCOPE, "connection opened");
        ends(line, info);
        line.quoted("direction", info.reporter().direction());
        line.end();
      }
      case Event.Closed(
              ConnectionInfo info,
              Instant time,
              long sent,
              long received,
              long nanos,
              String error) -> {
        line.begin(time, error == null ? "info" : "error", SCOPE, "connection complete");
        ends(line, info);
        line.quoted("direction", info.reporter().direction());
        line.number("bytes_sent", sent);
        line.number("bytes_recv", received);
        line.quoted("duration", nanos / 1_000_000 + "ms");
        attempts(line, info);
        if (error != null) {
          line.quoted("error", error);
        }
        line.end();
      }
      case Event.Failed(ConnectionInfo info, Instant time, String error) -> {
        line.begin(time, "warn", SCOPE, "connection failed");
        ends(line, info);
        line.quoted("direction", info.reporter().direction());
        attempts(line, info);
        line.quoted("error", error);
        line.end();
      }
      case Event.Retried(ConnectionInfo info, Instant time, String error) -> {
        line.begin(time, "debug", SCOPE, "connection attempt failed");
        ends(line, info);
        line.quoted("direction", info.reporter().direction());
        attempts(line, info);
        line.quoted("error", error);
        line.end();
      }
      case Event.Flow(
              ConnectionInfo info,
              Instant time,
              boolean opened,
              FlowCounts counts,
              long nanos,
              String error) -> {
        String ending = error == null ? "info" : "error";
        line.begin(
            time,
            opened ? ending : "warn",
            SCOPE,
            opened ? "UDP flow complete" : "UDP flow failed");
        ends(line, info);
        line.quoted("direction", info.reporter().direction());
        if (opened) {
          line.number("bytes_sent", counts.bytesSent());
          line.number("bytes_recv", counts.bytesReceived());
          line.number("datagrams_sent", counts.datagramsSent());
          line.number("datagrams_recv", counts.datagramsReceived());
          if (counts.dropped() > 0) {
            line.number("datagrams_dropped", counts.dropped());
          }
          line.quoted("duration", nanos / 1_000_000 + "ms");
        }
        attempts(line, info);
        if (error != null) {
          line.quoted("error", error);
        }
        line.end();
      }
      case Event.DryRun(String policy, boolean wouldDeny, PolicyInput input, Instant time) -> {
        line.begin(time, "info", SCOPE, "dry-run policy verdict");
        line.quoted("policy", policy);
        line.quoted("verdict", wouldDeny ? "deny" : "allow");
        line.plain("src.addr", NetUtil.toAddressString(input.sourceIp()));
        workload(line, End.SOURCE, null, input.source());
        line.plain("dst.addr", address(input.destinationAddress()));
        workload(line, End.DESTINATION, input.destination(), input.destination().identity());
        line.end();
      }
    }
  }

  /** The usual one is not told. */
  private static void attempts(LogLine line, ConnectionInfo info) {
    if (info.attempts() > 1) {
      line.number("attempts", info.attempts());
    }
  }

  private static void ends(LogLine line, ConnectionInfo info) {
    line.plain("src.addr", address(info.source()));
    workload(line, End.SOURCE, info.sourceWorkload(), info.sourceIdentity());
    line.plain("dst.addr", address(info.destination()));
    if (info.hboneAuthority() != null) {
      line.plain("dst.hbone_addr", info.hboneAuthority());
    }
    MeshService service = info.endpoint().service();
    if (service != null) {
      line.quoted("dst.service", service.hostname());
    }
    workload(line, End.DESTINATION, info.endpoint().workload(), info.destinationIdentity());
  }

  private static void workload(
      LogLine line, End end, @Nullable MeshWorkload workload, @Nullable Identity identity) {
    if (workload != null) {
      line.quoted(end.workload, workload.name());
      line.quoted(end.namespace, workload.namespace());
    }
    if (identity != null) {
      line.quoted(end.identity, identity.uri());
    }
    if (workload != null && !workload.clusterId().isEmpty()) {
      line.quoted(end.cluster, workload.clusterId());
    }
  }

  private static String address(InetSocketAddress address) {
    return address.getAddress() == null
        ? address.getHostString() + ":" + address.getPort()
        : NetUtil.toSocketAddressString(address);
  }
}
