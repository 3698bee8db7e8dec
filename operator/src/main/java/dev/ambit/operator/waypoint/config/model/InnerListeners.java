package dev.ambit.operator.waypoint.config.model;

import com.google.protobuf.Any;
import com.google.protobuf.Duration;
import com.google.protobuf.Struct;
import io.envoyproxy.envoy.config.listener.v3.Listener;
import io.envoyproxy.envoy.config.listener.v3.ListenerFilter;
import io.envoyproxy.envoy.extensions.filters.listener.http_inspector.v3.HttpInspector;
import io.envoyproxy.envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector;
import io.envoyproxy.envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;

/** The listeners with the chains of all services and pods of a waypoint. */
final class InnerListeners {
  /** Servers that speak first at a port of no declared protocol wait for that. */
  private static final Duration LOOK = Duration.newBuilder().setNanos(500_000_000).build();

  private InnerListeners() {}

  static List<Listener> of(Collection<? extends ListenerPart> parts) {
    Listener.Builder main = Tunnels.inner(Tunnels.MAIN);
    // No look at the client's bytes here: it would wait for what a client may never send, and a
    // list of ports to pass over would be part of the listener, which a change of it replaces.
    Listener.Builder sniff =
        Tunnels.inner(Tunnels.SNIFF)
            .addListenerFilters(
                ListenerFilter.newBuilder()
                    .setName("envoy.filters.listener.tls_inspector")
                    .setTypedConfig(Any.pack(TlsInspector.getDefaultInstance())))
            .addListenerFilters(
                ListenerFilter.newBuilder()
                    .setName("envoy.filters.listener.http_inspector")
                    .setTypedConfig(Any.pack(HttpInspector.getDefaultInstance())))
            .setListenerFiltersTimeout(LOOK)
            .setContinueOnListenerFiltersTimeout(true);
    main.addFilterChains(
        Chains.chain(
            ServicePlan.TO_SNIFF,
            Stream.of(
                Envoy.setFilterState(Tunnels.handedOn()),
                Envoy.filter(
                    Envoy.TCP_PROXY,
                    TcpProxy.newBuilder()
                        .setStatPrefix(Tunnels.SNIFF)
                        .setCluster(Tunnels.SNIFF)
                        .setIdleTimeout(Envoy.ZERO)
                        .build())),
            Struct.getDefaultInstance()));
    // A listener must have a chain; nothing leads to this one.
    sniff.addFilterChains(
        Chains.chain(
            "nothing",
            Stream.of(
                Envoy.filter(
                    Envoy.TCP_PROXY,
                    TcpProxy.newBuilder().setStatPrefix("nothing").setCluster("none").build())),
            Struct.getDefaultInstance()));
    List<ChainMatch.Entry> mainEntries = new ArrayList<>();
    List<ChainMatch.Entry> sniffEntries = new ArrayList<>();
    for (ListenerPart part : parts) {
      main.addAllFilterChains(part.main());
      sniff.addAllFilterChains(part.sniff());
      mainEntries.addAll(part.mainEntries());
      sniffEntries.addAll(part.sniffEntries());
    }
    return List.of(
        main.setFilterChainMatcher(ChainMatch.of(mainEntries)).build(),
        sniff.setFilterChainMatcher(ChainMatch.of(sniffEntries)).build());
  }

  /** The same with one part alone, under names of its own, to which nothing leads. */
  static List<Listener> onTrial(String key, ListenerPart part) {
    return of(List.of(part)).stream()
        .map(listener -> listener.toBuilder().setName(trialName(listener.getName(), key)).build())
        .toList();
  }

  /** What the trial of a part is called, "main|KEY". */
  static String trialName(String listener, String key) {
    return listener + "|" + key;
  }
}
