package dev.ambit.ztunnel.telemetry;

import dev.ambit.ztunnel.json.JsonWriter;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshWorkload;
import dev.ambit.ztunnel.zds.PodObserver;
import java.net.InetAddress;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Who has sent plain text to this node's pods, for as long as this ztunnel runs: what the operator
 * goes by before it has a namespace refuse plain text. What policies refuse already is not in it.
 *
 * <p>Times are told as ages by a clock that nobody sets, so that two machines need not agree.
 */
public final class PlaintextLedger implements PodObserver {
  /** Of one namespace; the namespace's own sums are kept whatever the number of senders. */
  static final int MOST_SENDERS = 200;

  /** Longer than an enrollment's {@code quietFor} can be. */
  static final Duration FORGET = Duration.ofDays(31);

  private final String instance;
  private final InstantSource clock;
  private final LongSupplier nanoTime;
  private final Predicate<LocalPod> datagramsJudged;

  // Guarded by this.
  private final Map<String, Account> accounts = new TreeMap<>();

  /**
   * A ledger that begins empty.
   *
   * @param instance tells this run of the ztunnel from every other
   * @param datagramsJudged whether a pod's plain datagrams come this way
   */
  public PlaintextLedger(
      String instance, InstantSource clock, Predicate<LocalPod> datagramsJudged) {
    this(instance, clock, System::nanoTime, datagramsJudged);
  }

  PlaintextLedger(
      String instance,
      InstantSource clock,
      LongSupplier nanoTime,
      Predicate<LocalPod> datagramsJudged) {
    this.instance = instance;
    this.clock = clock;
    this.nanoTime = nanoTime;
    this.datagramsJudged = datagramsJudged;
  }

  /** What a ledger tells of a sender, and where it sends to. */
  private record Sender(
      String namespace,
      String kind,
      String workload,
      String address,
      String destination,
      int port,
      String protocol) {

    static Sender of(ConnectionInfo info, MeshWorkload destination, String protocol) {
      MeshWorkload source = info.sourceWorkload();
      // Of one that is known its address is chance: there are as many as pods come and go.
      return new Sender(
          source == null ? "" : source.namespace(),
          source == null ? "" : source.workloadType(),
          source == null ? "" : name(source),
          source == null ? text(info.source().getAddress()) : "",
          name(destination),
          info.destination().getPort(),
          protocol);
    }

    private static String name(MeshWorkload workload) {
      return workload.workloadName().isEmpty() ? workload.name() : workload.workloadName();
    }

    private static String text(InetAddress address) {
      return address.getHostAddress().toLowerCase(Locale.ROOT);
    }
  }

  /** How much it was. */
  private static final class Amount {
    private long connections;
    private long open;
    private long lastNanos;
    private final LongAdder bytes = new LongAdder();
  }

  private record Watched(LocalPod pod, Instant since, long sinceNanos) {}

  /** What is known of one namespace's pods. */
  private static final class Account {
    private final Map<String, Watched> pods = new TreeMap<>();
    private final Map<Sender, Amount> senders = new HashMap<>();
    private final Amount total = new Amount();

    /** Whether nobody can want to know of it any more. */
    boolean isOver(long now) {
      return pods.isEmpty() && total.open == 0 && now - total.lastNanos > FORGET.toNanos();
    }
  }

  /** A connection that is told of while it is open. */
  final class Arrival {
    private final Amount total;
    private final @Nullable Amount amount;
    private long soFar;

    private Arrival(Amount total, @Nullable Amount amount) {
      this.total = total;
      this.amount = amount;
    }

    /** So many bytes in both directions since it began. */
    void bytes(long sum) {
      total.bytes.add(sum - soFar);
      if (amount != null) {
        amount.bytes.add(sum - soFar);
      }
      soFar = sum;
    }

    /** It is over. */
    void over() {
      synchronized (PlaintextLedger.this) {
        long now = nanoTime.getAsLong();
        end(total, now);
        if (amount != null) {
          end(amount, now);
        }
      }
    }

    private static void end(Amount of, long now) {
      of.open--;
      of.lastNanos = now;
    }
  }

  /** A plain connection to one of the node's pods was let in; null where that is not known. */
  synchronized @Nullable Arrival arrived(ConnectionInfo info) {
    MeshWorkload destination = info.endpoint().workload();
    if (destination == null) {
      return null;
    }
    Account account = account(destination.namespace());
    Amount amount = amount(account, Sender.of(info, destination, "tcp"));
    long now = nanoTime.getAsLong();
    count(account.total, now);
    account.total.open++;
    if (amount != null) {
      count(amount, now);
      amount.open++;
    }
    return new Arrival(account.total, amount);
  }

  /** The first plain datagram of a flow to one of the node's pods was let in. */
  synchronized void datagram(ConnectionInfo info) {
    MeshWorkload destination = info.endpoint().workload();
    if (destination == null) {
      return;
    }
    Account account = account(destination.namespace());
    Amount amount = amount(account, Sender.of(info, destination, "udp"));
    long now = nanoTime.getAsLong();
    count(account.total, now);
    if (amount != null) {
      count(amount, now);
    }
  }

  private static void count(Amount of, long now) {
    of.connections++;
    of.lastNanos = now;
  }

  private Account account(String namespace) {
    return accounts.computeIfAbsent(namespace, any -> new Account());
  }

  /** Null where all that are kept are in use. */
  private static @Nullable Amount amount(Account account, Sender sender) {
    Amount known = account.senders.get(sender);
    if (known != null) {
      return known;
    }
    if (account.senders.size() >= MOST_SENDERS && !forgetOne(account)) {
      return null;
    }
    Amount fresh = new Amount();
    account.senders.put(sender, fresh);
    return fresh;
  }

  private static boolean forgetOne(Account account) {
    Sender oldest = null;
    long last = 0;
    for (Map.Entry<Sender, Amount> each : account.senders.entrySet()) {
      Amount amount = each.getValue();
      if (amount.open == 0 && (oldest == null || amount.lastNanos - last < 0)) {
        oldest = each.getKey();
        last = amount.lastNanos;
      }
    }
    return oldest != null && account.senders.remove(oldest) != null;
  }

  @Override
  public void added(LocalPod pod) {}

  @Override
  public void removed(LocalPod pod) {}

  @Override
  public synchronized void started(LocalPod pod) {
    account(pod.namespace())
        .pods
        .put(pod.uid(), new Watched(pod, clock.instant(), nanoTime.getAsLong()));
  }

  @Override
  public synchronized void stopped(LocalPod pod) {
    Account account = accounts.get(pod.namespace());
    if (account != null) {
      account.pods.remove(pod.uid());
    }
  }

  /** All of it as JSON. */
  public synchronized String write() {
    long now = nanoTime.getAsLong();
    accounts.values().removeIf(account -> account.isOver(now));
    StringBuilder out = new StringBuilder(4 << 10);
    JsonWriter json = new JsonWriter(out);
    json.beginObject().field("instance", instance).name("namespaces").beginArray();
    accounts.forEach((namespace, account) -> write(json, namespace, account, now));
    json.endArray().endObject();
    return out.append('\n').toString();
  }

  private void write(JsonWriter json, String namespace, Account account, long now) {
    json.beginObject().field("namespace", namespace).name("pods").beginArray();
    for (Watched watched : account.pods.values()) {
      json.beginObject()
          .field("uid", watched.pod().uid())
          .field("since", watched.since().toString())
          .field("watchedMillis", millis(now - watched.sinceNanos()))
          .field("datagrams", datagramsJudged.test(watched.pod()))
          .endObject();
    }
    json.endArray();
    write(json, account.total, now);
    json.name("senders").beginArray();
    account.senders.forEach(
        (sender, amount) -> {
          json.beginObject()
              .field("namespace", sender.namespace())
              .field("kind", sender.kind())
              .field("workload", sender.workload())
              .field("address", sender.address())
              .field("destination", sender.destination())
              .field("port", sender.port())
              .field("protocol", sender.protocol());
          write(json, amount, now);
          json.endObject();
        });
    json.endArray().endObject();
  }

  /** Plain text that is not over comes now. */
  private static void write(JsonWriter json, Amount amount, long now) {
    json.field("connections", amount.connections)
        .field("open", amount.open)
        .field("bytes", amount.bytes.sum());
    if (amount.connections > 0) {
      json.field("agoMillis", amount.open > 0 ? 0 : millis(now - amount.lastNanos));
    }
  }

  private static long millis(long nanos) {
    return TimeUnit.NANOSECONDS.toMillis(nanos);
  }
}
