package dev.ambit.operator.xds;

import dev.ambit.protocol.xds.DeltaDiscoveryRequest;
import dev.ambit.protocol.xds.DeltaDiscoveryResponse;
import dev.ambit.protocol.xds.Resource;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One client's stream. Committed changes queue here; whoever comes by (a commit, a request, the
 * transport becoming ready) sends as much as the transport takes. While it takes nothing, changes
 * of one name merge.
 *
 * <p>What is sent follows the commits, in order and whole, so the order across types holds for the
 * client too: additions of a type wait until those of earlier types are on the wire, removals until
 * all that could refer to them is.
 */
final class DeltaStream {
  private static final Logger LOG = LoggerFactory.getLogger(DeltaStream.class);
  private static final int MOST_UNACKNOWLEDGED = 4096;

  /**
   * A conclusion says that all else is in force, so it has more patience than other types: by so
   * much.
   */
  private static final int CONCLUSION_PATIENCE = 5;

  private final DiscoveryServer server;
  private final ServerCallStreamObserver<DeltaDiscoveryResponse> observer;
  private final ConcurrentLinkedQueue<ChangeSet> inbox = new ConcurrentLinkedQueue<>();

  // All below are guarded by this.
  private final Map<String, Subscription> subscriptions = new HashMap<>();
  private final Map<String, Sent> unacknowledged = new LinkedHashMap<>();
  private String nodeId = "";
  private String client = "";
  private @Nullable XdsRealm realm;
  private boolean closed;
  private boolean patienceOver;
  private boolean answerTimer;

  /** By type, what follows something that was sent, and is to be sent before later types are. */
  private final Map<String, Set<String>> followers = new HashMap<>();

  private long followersSince;

  /** By type, since when its conclusion waits for the others. */
  private final Map<String, Long> conclusionsSince = new HashMap<>();

  private long nonce;

  /**
   * @param versions of what was sent, by name; of what was removed, none
   */
  private record Sent(XdsType type, long nanoTime, Map<String, String> versions) {}

  DeltaStream(DiscoveryServer server, ServerCallStreamObserver<DeltaDiscoveryResponse> observer) {
    this.server = server;
    this.observer = observer;
  }

  /**
   * Any thread; called by the server within its commit, so that all streams see commits in one
   * order.
   */
  void enqueue(ChangeSet changes) {
    inbox.add(changes);
  }

  synchronized void request(DeltaDiscoveryRequest request) {
    if (closed) {
      return;
    }
    XdsRealm own = realm == null ? admit(request) : realm;
    if (own == null) {
      return;
    }
    XdsType type = own.type(request.getTypeUrl());
    if (type == null) {
      fail(
          Status.INVALID_ARGUMENT.withDescription(
              "no resources of type \"" + request.getTypeUrl() + "\" are served here"));
      return;
    }
    if (!request.getResponseNonce().isEmpty()) {
      acknowledge(type, request);
    }
    subscribe(own, type, request);
    flush();
  }

  private @Nullable XdsRealm admit(DeltaDiscoveryRequest request) {
    switch (server.admission().admit(request.getNode())) {
      case StreamAdmission.Admission.Refused(Status status) -> fail(status);
      case StreamAdmission.Admission.Admitted(String name, String admitted) -> {
        client = admitted;
        XdsRealm entered = server.enter(name, this);
        if (entered == null) {
          fail(Status.UNAVAILABLE.withDescription("there is no " + name + " any more"));
        } else {
          nodeId = request.getNode().getId();
          LOG.atInfo()
              .addKeyValue("node", nodeId)
              .addKeyValue("realm", name)
              .log("discovery stream opened");
        }
        realm = entered;
      }
    }
    return realm;
  }

  private void subscribe(XdsRealm own, XdsType type, DeltaDiscoveryRequest request) {
    Subscription subscription = subscriptions.get(type.url());
    if (subscription == null) {
      synchronized (own) {
        // Under the commit lock: afterwards each subscription stands at the same commit.
        drainInbox(own);
        subscriptions.put(
            type.url(),
            new Subscription(
                request.getResourceNamesSubscribeList(),
                request.getResourceNamesUnsubscribeList(),
                request.getInitialResourceVersionsMap(),
                own.table(type)));
      }
      if (subscriptions.size() == 1 && own.types().size() > 1) {
        server.later(this::endPatience, server.settings().patience());
      }
    } else if (request.getResourceNamesSubscribeCount() > 0
        || request.getResourceNamesUnsubscribeCount() > 0) {
      synchronized (own) {
        drainInbox(own);
        subscription.change(
            request.getResourceNamesSubscribeList(), request.getResourceNamesUnsubscribeList());
      }
    }
  }

  private void acknowledge(XdsType type, DeltaDiscoveryRequest request) {
    Sent sent = unacknowledged.remove(request.getResponseNonce());
    if (sent == null || !sent.type().equals(type)) {
      LOG.atDebug()
          .addKeyValue("node", nodeId)
          .addKeyValue("type", type.label())
          .log("ignored a stale nonce");
      return;
    }
    if (request.hasErrorDetail()) {
      // What would follow is not asked for.
      followers.values().forEach(awaited -> awaited.removeAll(sent.versions().keySet()));
      server.metrics().rejected(type);
      LOG.atWarn()
          .addKeyValue("node", nodeId)
          .addKeyValue("type", type.label())
          .addKeyValue("error", request.getErrorDetail().getMessage())
          .addKeyValue("resources", sent.versions().size())
          .log("a client rejected a response");
      server
          .rejections()
          .rejected(
              new RejectionListener.Rejection(
                  realm == null ? "" : realm.name(),
                  nodeId,
                  type.url(),
                  request.getErrorDetail().getMessage(),
                  sent.versions()));
    } else {
      server.metrics().acknowledged(type, Duration.ofNanos(System.nanoTime() - sent.nanoTime()));
    }
  }

  private synchronized void endPatience() {
    patienceOver = true;
    flush();
  }

  /** Sends what there is to send while the transport takes it. */
  synchronized void flush() {
    XdsRealm own = realm;
    if (closed || own == null) {
      return;
    }
    drainInbox(own);
    if (sendUpserts(own)) {
      sendRemovals(own);
    }
  }

  private void drainInbox(XdsRealm own) {
    if (inbox.isEmpty()) {
      return;
    }
    if (subscriptions.values().stream().anyMatch(Subscription::onDemand)) {
      // What comes with what was asked for is looked up, so tables must stand where the inbox ends.
      synchronized (own) {
        takeChanges();
      }
    } else {
      takeChanges();
    }
  }

  private void takeChanges() {
    for (ChangeSet changes = inbox.poll(); changes != null; changes = inbox.poll()) {
      changes
          .changes()
          .forEach(
              (url, ofType) -> {
                Subscription subscription = subscriptions.get(url);
                if (subscription != null) {
                  subscription.take(ofType);
                }
              });
    }
  }

  /** In the types' order; false where something could not be sent yet. */
  private boolean sendUpserts(XdsRealm own) {
    List<XdsType> types = own.types();
    for (int i = 0; i < types.size(); i++) {
      XdsType type = types.get(i);
      Subscription subscription = subscriptions.get(type.url());
      if (subscription == null) {
        continue;
      }
      if (type.awaitsEarlier() && missingEarlier(types, type) && !patienceOver) {
        return false;
      }
      if (type.delivery() != XdsType.Delivery.TOGETHER
          && (subscription.hasUpserts() || subscription.owesAnswer())
          && answersAwaited(types, i)) {
        return false;
      }
      // Of the last type nothing else depends, so its removals can go along.
      boolean last = i == types.size() - 1;
      while (subscription.hasUpserts()
          || subscription.owesAnswer()
          || (last && subscription.hasRemovals())) {
        if (concludes(type, subscription) && othersAwaited(own, type, subscription)) {
          return false;
        }
        if (!send(own, type, subscription, last)) {
          return false;
        }
      }
    }
    return true;
  }

  /**
   * Whether the client has yet to answer to what it was sent of earlier types, or to ask for what
   * follows that; for as long as patience lasts.
   */
  private boolean answersAwaited(List<XdsType> types, int index) {
    long now = System.nanoTime();
    long patience = server.settings().patience().toNanos();
    boolean awaited =
        unacknowledged.values().stream()
            .anyMatch(
                sent ->
                    types.subList(0, index).contains(sent.type())
                        && now - sent.nanoTime() < patience);
    if (!awaited && now - followersSince < patience) {
      awaited =
          types.subList(0, index).stream()
              .anyMatch(earlier -> !followers.getOrDefault(earlier.url(), Set.of()).isEmpty());
    }
    if (awaited) {
      watchAnswers();
    }
    return awaited;
  }

  /** Whether what is left to be sent of a type is its conclusion. */
  private static boolean concludes(XdsType type, Subscription subscription) {
    return subscription.upserts().containsKey(type.conclusion())
        && !subscription.hasUpsertsBut(type.conclusion());
  }

  /**
   * Whether the client has yet to ask for some of a type, or to answer to it, or to what it asked
   * for of earlier types because of it; for as long as patience lasts.
   */
  private boolean othersAwaited(XdsRealm own, XdsType type, Subscription subscription) {
    long now = System.nanoTime();
    long patience = server.settings().patience().multipliedBy(CONCLUSION_PATIENCE).toNanos();
    boolean awaited =
        unacknowledged.values().stream().anyMatch(sent -> now - sent.nanoTime() < patience);
    if (!awaited && now - conclusionsSince.computeIfAbsent(type.url(), _ -> now) < patience) {
      synchronized (own) {
        awaited =
            own.table(type).all().stream()
                .map(XdsResource::name)
                .anyMatch(name -> !name.equals(type.conclusion()) && !subscription.holds(name));
      }
    }
    if (awaited) {
      watchAnswers();
    } else {
      conclusionsSince.remove(type.url());
    }
    return awaited;
  }

  private void watchAnswers() {
    if (!answerTimer) {
      answerTimer = true;
      server.later(this::endOfAnswerTimer, server.settings().patience().plusMillis(10));
    }
  }

  private synchronized void endOfAnswerTimer() {
    answerTimer = false;
    flush();
  }

  private void sendRemovals(XdsRealm own) {
    List<XdsType> types = own.types();
    for (XdsType type : types.reversed()) {
      Subscription subscription = subscriptions.get(type.url());
      if (subscription == null || (missingLater(types, type) && !patienceOver)) {
        continue;
      }
      while (subscription.hasRemovals()) {
        if (!send(own, type, subscription, true)) {
          return;
        }
      }
    }
  }

  private boolean missingEarlier(List<XdsType> types, XdsType type) {
    for (XdsType earlier : types) {
      if (earlier.equals(type)) {
        return false;
      }
      if (!subscriptions.containsKey(earlier.url())) {
        return true;
      }
    }
    return false;
  }

  /** What the client holds of a later type from before may refer to what is to be removed. */
  private boolean missingLater(List<XdsType> types, XdsType type) {
    return types.subList(types.indexOf(type) + 1, types.size()).stream()
        .anyMatch(later -> later.awaitsEarlier() && !subscriptions.containsKey(later.url()));
  }

  private boolean send(
      XdsRealm own, XdsType type, Subscription subscription, boolean withRemovals) {
    if (!observer.isReady()) {
      return false;
    }
    int limit = server.settings().responseBytes();
    DeltaDiscoveryResponse.Builder response =
        DeltaDiscoveryResponse.newBuilder().setTypeUrl(type.url());
    Map<String, String> versions = new HashMap<>();
    int size = 0;
    for (XdsResource resource : List.copyOf(subscription.upserts().values())) {
      if (resource.name().equals(type.conclusion())
          && subscription.hasUpsertsBut(type.conclusion())) {
        continue;
      }
      int bytes = resource.message().getSerializedSize() + 8;
      if (size > 0
          && (size + bytes > limit
              || resource.name().equals(type.conclusion())
              || type.delivery() == XdsType.Delivery.ALONE_AFTER_EARLIER)) {
        break;
      }
      size += bytes;
      response.addResources(message(resource, subscription.onDemand()));
      versions.put(resource.name(), resource.version());
      subscription.sent(resource);
    }
    if (withRemovals && !subscription.hasUpserts()) {
      for (String name : List.copyOf(subscription.removals())) {
        // A UTF-16 unit is at most three bytes.
        int bytes = 3 * name.length() + 8;
        if (size > 0 && size + bytes > limit) {
          break;
        }
        size += bytes;
        response.addRemovedResources(name);
        versions.put(name, "");
        subscription.sentRemoval(name);
      }
    }
    subscription.answered();
    follow(own, type, versions.keySet());
    String responseNonce = Long.toString(++nonce);
    remember(responseNonce, new Sent(type, System.nanoTime(), versions));
    server
        .metrics()
        .pushed(type, response.getResourcesCount(), response.getRemovedResourcesCount());
    observer.onNext(response.setNonce(responseNonce).build());
    return true;
  }

  /** What follows those goes out again; and it was sent itself, where it is what follows. */
  private void follow(XdsRealm own, XdsType type, Set<String> names) {
    Set<String> awaited = followers.get(type.url());
    if (awaited != null) {
      awaited.removeAll(names);
    }
    for (XdsType follower : own.types()) {
      if (!follower.follows().equals(type.url())) {
        continue;
      }
      Subscription subscription = subscriptions.get(follower.url());
      synchronized (own) {
        ResourceTable table = own.table(follower);
        for (String name : names) {
          if (table.get(name) == null) {
            continue;
          }
          followers.computeIfAbsent(follower.url(), _ -> new HashSet<>()).add(name);
          followersSince = System.nanoTime();
          if (subscription != null) {
            subscription.resend(name);
          }
        }
      }
    }
  }

  private Resource message(XdsResource resource, boolean onDemand) {
    Resource message = resource.messageFor(client);
    return onDemand && !resource.lookupKeys().isEmpty()
        ? message.toBuilder().addAllAliases(resource.lookupKeys()).build()
        : message;
  }

  private void remember(String responseNonce, Sent sent) {
    unacknowledged.put(responseNonce, sent);
    if (unacknowledged.size() > MOST_UNACKNOWLEDGED) {
      // A client that never acknowledges must not fill our memory.
      unacknowledged.remove(unacknowledged.keySet().iterator().next());
    }
  }

  private void fail(Status status) {
    close();
    observer.onError(status.asRuntimeException());
  }

  /** The client has half-closed. */
  synchronized void complete() {
    if (!closed) {
      close();
      observer.onCompleted();
    }
  }

  /** The stream is gone, or going. */
  synchronized void close() {
    if (!closed) {
      closed = true;
      inbox.clear();
      subscriptions.clear();
      unacknowledged.clear();
      server.forget(this, realm);
      if (realm != null) {
        LOG.atInfo().addKeyValue("node", nodeId).log("discovery stream closed");
      }
    }
  }
}
