package dev.ambit.ztunnel.proxy;

import dev.ambit.linux.MarkedLocalRoute;
import dev.ambit.linux.NetworkNamespace;
import dev.ambit.linux.Nftables;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.state.MeshWorkload;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The table {@code inet ambit_udp} of each pod's network namespace, which leads datagrams to the
 * ztunnel: those that the pod sends to addresses which are the mesh's business; plain ones of a
 * flow that came through a tunnel before; and, where policies speak for the pod, the first of each
 * plain flow to it. What the mesh looks like changes, and the tables follow. While there is no
 * ztunnel, what would be led to it is dropped.
 *
 * <p>A pod that joins while it runs is left alone until its identity can be proven, as the node
 * agent does with its connections: no tunnel would take what it sends.
 *
 * <p>The kernel begins to follow a pod's flows when it joins. Of one that was under way it may see
 * an answer first, and then takes client and server for each other, for as long as the flow lasts.
 * The ports tell them apart: what looks like an answer begins no flow while the pod joins, and what
 * looks like a question is led here though the kernel has it for an answer.
 *
 * <p>Everything here runs on one thread of its own, since packet filter calls block.
 */
public final class DatagramRules {
  private static final Logger log = LoggerFactory.getLogger(DatagramRules.class);

  /** A packet with this mark is delivered here, whatever its destination. */
  private static final MarkedLocalRoute HAND_OVER = new MarkedLocalRoute(0x222, 0xfff, 32763, 101);

  private static final String TABLE = "ambit_udp";
  private static final List<String> CHAINS =
      List.of("untracked", "judged", "capture", "answers", "captured", "hand_over", "judge");
  private static final long DEBOUNCE_MILLIS = 50;
  private static final long VERIFY_SECONDS = 15;

  /** Above the bits that other marks use; a verdict is known by its turn. */
  private static final int TURN_SHIFT = 12;

  private static final int TURNS = (1 << 20) - 1;

  /** Ports from here on are those of sockets that asked for none, so of clients. */
  private static final int FIRST_OF_CLIENTS = 32_768;

  /** Answers to what was asked before the pod joined are on their way for no longer than that. */
  private static final int JOINING_SECONDS = 1;

  private final ScheduledExecutorService executor;
  private final Supplier<Set<InetAddress>> destinations;
  private final Function<LocalPod, @Nullable MeshWorkload> workloads;
  private final java.util.function.Predicate<MeshWorkload> guarded;
  private final java.util.function.Predicate<LocalPod> certified;
  private final boolean dns;
  private final int mark;
  private final LongAdder unsupported = new LongAdder();
  private final AtomicBoolean scheduled = new AtomicBoolean();
  private final AtomicBoolean verdictsVoid = new AtomicBoolean();

  // Confined to the executor's thread.
  private final Set<Member> members = new LinkedHashSet<>();
  private Set<InetAddress> wanted = Set.of();

  /**
   * Flows keep their verdicts when a ztunnel ends, so that it begins at none that an earlier one
   * may have given.
   */
  private volatile int turn = 1 + new SecureRandom().nextInt(TURNS);

  /**
   * @param executor of one platform thread
   * @param destinations the addresses that are the mesh's business, as they are now
   * @param workloads what a pod is; null where that is not known yet
   * @param guarded whether policies speak for a workload
   * @param certified whether a pod's identity can be proven
   * @param dns whether questions to DNS servers are left to the DNS proxy
   * @param mark of the ztunnel's own packets
   */
  public DatagramRules(
      ScheduledExecutorService executor,
      Supplier<Set<InetAddress>> destinations,
      Function<LocalPod, @Nullable MeshWorkload> workloads,
      java.util.function.Predicate<MeshWorkload> guarded,
      java.util.function.Predicate<LocalPod> certified,
      boolean dns,
      int mark) {
    this.executor = executor;
    this.destinations = destinations;
    this.workloads = workloads;
    this.guarded = guarded;
    this.certified = certified;
    this.dns = dns;
    this.mark = mark;
    var unused =
        executor.scheduleWithFixedDelay(
            this::verify, VERIFY_SECONDS, VERIFY_SECONDS, TimeUnit.SECONDS);
  }

  /** How often a destination's ztunnel was found to carry no UDP though it was said to. */
  public LongAdder unsupported() {
    return unsupported;
  }

  void noteUnsupported() {
    unsupported.increment();
  }

  /**
   * The mark of a datagram that is let through by the policies that are in force now. One that was
   * judged by earlier ones does not count, however late it is sent.
   */
  int verdictMark() {
    return FlowSettings.JUDGED_MARK | turn << TURN_SHIFT;
  }

  /** Workloads, services or certificates have changed; returns at once. */
  public void meshChanged() {
    if (scheduled.compareAndSet(false, true)) {
      run(
          () ->
              executor.schedule(
                  () -> {
                    scheduled.set(false);
                    follow();
                  },
                  DEBOUNCE_MILLIS,
                  TimeUnit.MILLISECONDS));
    }
  }

  /** Policies have changed: all verdicts are void; returns at once. */
  public void policiesChanged() {
    verdictsVoid.set(true);
    meshChanged();
  }

  private static void run(Runnable submission) {
    try {
      submission.run();
    } catch (RejectedExecutionException e) {
      // The ztunnel ends, and the next one brings the tables up to date.
      log.atDebug().log("UDP rules are not followed any more");
    }
  }

  /** Has a pod's datagrams led here. Takes ownership of {@code namespace}. */
  Member add(LocalPod pod, NetworkNamespace namespace) {
    Member member = new Member(pod, namespace);
    executor.execute(
        () -> {
          wanted = destinations.get();
          members.add(member);
          member.begin();
        });
    return member;
  }

  private void follow() {
    if (verdictsVoid.getAndSet(false)) {
      turn = turn % TURNS + 1;
    }
    wanted = destinations.get();
    for (Member member : List.copyOf(members)) {
      member.follow();
    }
  }

  private void verify() {
    for (Member member : List.copyOf(members)) {
      member.verify();
    }
  }

  /** One pod. */
  final class Member {
    private final LocalPod pod;
    private final NetworkNamespace namespace;
    private final CompletableFuture<Void> installed = new CompletableFuture<>();
    private Set<InetAddress> present = Set.of();
    private int presentTurn;
    private boolean presentGuard;
    private boolean joining;
    private String listing = "";

    private Member(LocalPod pod, NetworkNamespace namespace) {
      this.pod = pod;
      this.namespace = namespace;
      this.joining = pod.joining();
    }

    /** Completes when datagrams are led here, or will be once the pod's identity can be proven. */
    CompletableFuture<Void> installed() {
      return installed;
    }

    /** The pod is to have nothing of this any more. */
    void leave() {
      run(
          () ->
              executor.execute(
                  () -> {
                    if (members.remove(this)) {
                      attempt("remove", this::remove);
                    }
                    namespace.close();
                  }));
    }

    /** The ztunnel ends: what is there stays for the next one. */
    void keep() {
      run(
          () ->
              executor.execute(
                  () -> {
                    members.remove(this);
                    namespace.close();
                  }));
    }

    /** A pod that is not known yet is guarded: nothing is let through unseen. */
    private boolean isGuarded() {
      MeshWorkload workload = workloads.apply(pod);
      return workload == null || (!workload.datagramsLeftAlone() && guarded.test(workload));
    }

    /** What it sends to these is led here: nothing where its UDP is left as it is. */
    private Set<InetAddress> wanted() {
      MeshWorkload workload = workloads.apply(pod);
      return workload != null && workload.datagramsLeftAlone() ? Set.of() : wanted;
    }

    private void begin() {
      if (awaitsCertificate()) {
        installed.complete(null);
      } else {
        install();
      }
    }

    /** Once it has joined, it stays, whatever becomes of its certificate. */
    private boolean awaitsCertificate() {
      joining = joining && !certified.test(pod);
      return joining;
    }

    private void install() {
      Set<InetAddress> addresses = wanted();
      boolean guard = isGuarded();
      boolean done =
          attempt(
              "install",
              () -> {
                HAND_OVER.ensure();
                Nftables.run(commands(addresses, guard, turn, dns, mark));
                listing = chains();
                return null;
              });
      if (done) {
        present = addresses;
        presentGuard = guard;
        presentTurn = turn;
        installed.complete(null);
      } else if (!installed.isDone()) {
        members.remove(this);
        namespace.close();
        installed.completeExceptionally(
            new IllegalStateException("cannot put rules for UDP into the pod; see the log"));
      }
    }

    private void follow() {
      if (joining) {
        if (!awaitsCertificate()) {
          install();
        }
        return;
      }
      boolean guard = isGuarded();
      if (guard != presentGuard || (guard && turn != presentTurn)) {
        boolean done =
            attempt(
                "change",
                () -> {
                  Nftables.run(rules(guard, turn, dns, mark));
                  listing = chains();
                  return null;
                });
        if (!done) {
          install();
          return;
        }
        presentGuard = guard;
        presentTurn = turn;
      }
      Set<InetAddress> addresses = wanted();
      if (!addresses.equals(present)) {
        String changes = changes(present, addresses);
        if (attempt("change", () -> Nftables.run(changes))) {
          present = addresses;
        } else {
          install();
        }
      }
    }

    /** Puts back what others took out. */
    private void verify() {
      if (joining) {
        return;
      }
      boolean right =
          attempt(
              "read",
              () -> {
                if (HAND_OVER.ensure() || !chains().equals(listing)) {
                  throw new IllegalStateException("they are not as they should be");
                }
                return null;
              });
      if (!right) {
        install();
      }
    }

    private String chains() throws IOException {
      StringBuilder listed = new StringBuilder();
      for (String chain : CHAINS) {
        // One by one: libnftables may know but the last of several.
        listed.append(Nftables.run("list chain inet " + TABLE + " " + chain));
      }
      return listed.toString();
    }

    private @Nullable Object remove() throws IOException {
      takeOut();
      HAND_OVER.remove();
      return null;
    }

    private boolean attempt(String what, Callable<@Nullable Object> work) {
      try {
        namespace.call(work);
        return true;
      } catch (Exception | LinkageError e) {
        // The latter where there is no libnftables.
        log.atWarn()
            .addKeyValue("namespace", pod.namespace())
            .addKeyValue("pod", pod.name())
            .addKeyValue("reason", e.toString())
            .log("cannot " + what + " the pod's rules for UDP");
        return false;
      }
    }
  }

  /**
   * Takes out what a ztunnel that carried UDP has left, where this one does not. Where nothing was
   * left that costs no more than a look at the routing rules.
   */
  static void clean(NetworkNamespace namespace) throws Exception {
    namespace.call(
        () -> {
          if (HAND_OVER.remove()) {
            takeOut();
          }
          return null;
        });
  }

  /**
   * Leaves what makes the kernel forget of a flow that it was in a tunnel, with its first plain
   * datagram: the node agent's rules would lead the answers to the ztunnel. They go last, and take
   * this out with them.
   */
  private static void takeOut() throws IOException {
    if (Nftables.listTable(TABLE).isPresent()) {
      Nftables.run(
          """
          delete table inet %1$s
          table inet %1$s {
            chain plain_again {
              type filter hook prerouting priority mangle; policy accept;
              iif != "lo" meta l4proto udp ct mark & 0xfff == { 0x111, 0x222 } ct mark set ct mark & 0xfffff000
            }
          }
          """
              .formatted(TABLE));
    }
  }

  /** The commands that bring the table to this content from any state, as one transaction. */
  static String commands(
      Set<InetAddress> addresses, boolean guard, int turn, boolean dns, int mark) {
    return """
    add table inet %1$s
    delete table inet %1$s
    table inet %1$s {
      set mesh4 { type ipv4_addr; }
      set mesh6 { type ipv6_addr; }
      set joining { type inet_proto; flags timeout; elements = { udp timeout %2$ds } }
      chain untracked { type filter hook output priority raw; policy accept; }
      chain judged { type filter hook output priority mangle - 5; policy accept; }
      chain capture { type route hook output priority mangle + 5; policy accept; }
      chain answers { }
      chain captured { }
      chain hand_over { type filter hook prerouting priority mangle; policy accept; }
      chain judge { }
    }
    """
            .formatted(TABLE, JOINING_SECONDS)
        + rules(guard, turn, dns, mark)
        + changes(Set.of(), addresses);
  }

  /** The commands that bring the chains alone to this content. */
  static String rules(boolean guard, int turn, boolean dns, int mark) {
    String question = "    udp dport 53 udp sport != 53 accept\n";
    // A verdict that does not hold any more is forgotten, lest it be taken for one of a later turn.
    String first =
        """
            ct direction original ct mark & 0xfffff000 != 0x%x ct mark set ct mark & 0xfff goto judge
        """
            .formatted(turn << TURN_SHIFT);
    String emptied =
        CHAINS.stream()
            .map(chain -> "flush chain inet " + TABLE + " " + chain + "\n")
            .collect(Collectors.joining());
    return emptied
        + """
    table inet %1$s {
      chain untracked {
        meta l4proto udp meta mark & 0xfff == 0x%2$x notrack
      }
      chain judged {
        meta l4proto udp meta mark & 0xfff == 0x%9$x ct mark set %6$s
      }
      chain capture {
        meta l4proto != udp accept
        oif "lo" accept
        meta mark & 0xfff == { 0x%3$x, 0x%2$x, 0x%9$x } accept
        ct mark & 0xfff == 0x111 accept
        ct direction reply goto answers
    %7$s    ct state new meta l4proto @joining udp sport != 53 udp sport < %12$d udp dport >= %12$d drop
        ip daddr @mesh4 goto captured
        ip6 daddr @mesh6 goto captured
        ct mark & 0xfff == 0x222 ct mark set ct mark & 0xfffff000
      }
      chain answers {
        udp sport < %12$d accept
        udp dport >= %12$d accept
        ip daddr @mesh4 goto captured
        ip6 daddr @mesh6 goto captured
      }
      chain captured {
        ct status & seen-reply == 0 ct mark set ct mark & 0xfffff000 | 0x222
        meta mark set 0x222
      }
      chain hand_over {
        meta l4proto != udp accept
        iif "lo" meta l4proto udp meta mark & 0xfff == 0x222 tproxy to :%4$d accept
        iif "lo" meta l4proto udp meta mark & 0xfff == 0x111 fib daddr type != local tproxy to :%4$d accept
        meta mark & 0xfff == 0x222 drop
        iif "lo" accept
        fib daddr type != local accept
        ct direction reply ct mark & 0xfff == 0x222 ip saddr @mesh4 drop
        ct direction reply ct mark & 0xfff == 0x222 ip6 saddr @mesh6 drop
    %5$s    ct direction original ct mark & 0xfff == 0x111 goto judge
      }
      chain judge {
        meta l4proto udp tproxy to :%8$d accept
        udp sport set udp sport ^ 0x%10$x tproxy to :%11$d accept
        drop
      }
    }
    """
            .formatted(
                TABLE,
                FlowSettings.REPLY_MARK,
                mark,
                FlowSettings.OUTBOUND_PORT,
                guard ? first : "",
                // Without policies no verdict is kept: with the first of them each flow is to be
                // judged.
                guard ? "meta mark & 0xfffff000" : "0x0",
                dns ? question : "",
                FlowSettings.PLAIN_PORT,
                FlowSettings.JUDGED_MARK,
                FlowSettings.OTHER_SOURCE,
                FlowSettings.PLAIN_PORT_OF_CONNECTED,
                FIRST_OF_CLIENTS);
  }

  /** The commands that change the sets alone. */
  private static String changes(Set<InetAddress> from, Set<InetAddress> to) {
    Set<InetAddress> gone = new HashSet<>(from);
    gone.removeAll(to);
    Set<InetAddress> come = new HashSet<>(to);
    come.removeAll(from);
    List<String> commands = new ArrayList<>();
    for (boolean ipv6 : new boolean[] {false, true}) {
      String set = " element inet " + TABLE + (ipv6 ? " mesh6 { " : " mesh4 { ");
      // What comes first: an address that only moves is never missing.
      elements(come, ipv6).ifPresent(all -> commands.add("add" + set + all + " }\n"));
      elements(gone, ipv6).ifPresent(all -> commands.add("delete" + set + all + " }\n"));
    }
    return String.join("", commands);
  }

  private static java.util.Optional<String> elements(Set<InetAddress> addresses, boolean ipv6) {
    TreeSet<String> texts =
        addresses.stream()
            .filter(address -> address instanceof Inet6Address == ipv6)
            .map(InetAddress::getHostAddress)
            .collect(Collectors.toCollection(TreeSet::new));
    return texts.isEmpty()
        ? java.util.Optional.empty()
        : java.util.Optional.of(String.join(", ", texts));
  }
}
