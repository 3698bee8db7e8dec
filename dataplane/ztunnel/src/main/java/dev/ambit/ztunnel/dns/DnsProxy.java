package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.dns.MeshNames.Found;
import dev.ambit.ztunnel.dns.Message.AddressQuestion;
import dev.ambit.ztunnel.state.HostAddresses;
import dev.ambit.ztunnel.state.LocalPod;
import dev.ambit.ztunnel.telemetry.DnsTelemetry;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the DNS proxies of all pods have in common. */
public final class DnsProxy {
  private static final Logger log = LoggerFactory.getLogger("dns");

  private final DnsSettings settings;
  private final MeshNames names;
  private final ResolverFile resolverFile;
  private final DnsTelemetry telemetry;

  public DnsProxy(DnsSettings settings, HostAddresses hosts, DnsTelemetry telemetry) {
    this.settings = settings;
    this.names = new MeshNames(hosts::lookup, settings.clusterDomain());
    this.resolverFile = new ResolverFile(settings.resolverFile());
    this.telemetry = telemetry;
  }

  /** The proxy of one pod. */
  public PodDns of(DnsPod pod) {
    return new PodDns(this, pod);
  }

  public DnsSettings settings() {
    return settings;
  }

  DnsTelemetry telemetry() {
    return telemetry;
  }

  /** Whom to ask where it is not known which server the pod had asked. */
  List<InetSocketAddress> ownServers() {
    return resolverFile.servers();
  }

  /**
   * The mesh's answer; null where a server is to be asked.
   *
   * @param message the question's message, which is left as it is
   * @param limit bytes that the answer may have
   */
  @Nullable ByteBuf answer(
      ByteBufAllocator allocator,
      ByteBuf message,
      AddressQuestion question,
      LocalPod pod,
      int limit) {
    Found found = names.find(question.name(), pod.namespace());
    if (found == null) {
      return null;
    }
    List<InetAddress> addresses = new ArrayList<>();
    if (question.type() == Message.TYPE_A) {
      addresses.addAll(found.known().ipv4());
    } else if (settings.ipv6()) {
      addresses.addAll(found.known().ipv6());
    }
    // Clients take the first one mostly.
    Collections.shuffle(addresses, ThreadLocalRandom.current());
    log.atDebug()
        .addKeyValue("namespace", pod.namespace())
        .addKeyValue("pod", pod.name())
        .addKeyValue("name", question.name())
        .addKeyValue("type", question.type() == Message.TYPE_A ? "A" : "AAAA")
        .addKeyValue("addresses", addresses.size())
        .log("answered from the mesh");
    return AnswerWriter.answer(allocator, message, question, found.alias(), addresses, limit);
  }
}
