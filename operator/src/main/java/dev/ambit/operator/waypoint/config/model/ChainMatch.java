package dev.ambit.operator.waypoint.config.model;

import com.github.xds.core.v3.CidrRange;
import com.github.xds.core.v3.TypedExtensionConfig;
import com.github.xds.type.matcher.v3.IPMatcher;
import com.github.xds.type.matcher.v3.Matcher;
import com.github.xds.type.matcher.v3.StringMatcher;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.protobuf.StringValue;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.ApplicationProtocolInput;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.DestinationIPInput;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.DestinationPortInput;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.FilterStateInput;
import io.envoyproxy.envoy.extensions.matching.common_inputs.network.v3.ServerNameInput;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Finds the filter chain for a connection: by its address, then its port, then what it speaks. */
final class ChainMatch {
  /** An address that nobody has: a matcher must not be empty. */
  private static final CidrRange NOBODY =
      CidrRange.newBuilder().setAddressPrefix("240.0.0.0").setPrefixLen(Envoy.number(32)).build();

  private ChainMatch() {}

  /** The connections to some addresses. */
  record Entry(List<CidrRange> ranges, Matcher.OnMatch match) {}

  static Matcher of(List<Entry> entries) {
    IPMatcher.Builder addresses = IPMatcher.newBuilder();
    addresses.addRangeMatchers(
        IPMatcher.IPRangeMatcher.newBuilder().addRanges(NOBODY).setOnMatch(chain("none")));
    for (Entry entry : entries) {
      addresses.addRangeMatchers(
          IPMatcher.IPRangeMatcher.newBuilder()
              .addAllRanges(entry.ranges())
              .setOnMatch(entry.match()));
    }
    return Matcher.newBuilder()
        .setMatcherTree(
            Matcher.MatcherTree.newBuilder()
                .setInput(extension("address", DestinationIPInput.getDefaultInstance()))
                .setCustomMatch(extension("addresses", addresses.build())))
        .build();
  }

  static CidrRange range(String address, int length) {
    return CidrRange.newBuilder()
        .setAddressPrefix(address)
        .setPrefixLen(Envoy.number(length))
        .build();
  }

  static Matcher.OnMatch chain(String name) {
    return Matcher.OnMatch.newBuilder().setAction(extension("chain", StringValue.of(name))).build();
  }

  /** Other ports match nothing. */
  static Matcher.OnMatch ports(Map<Integer, Matcher.OnMatch> ports) {
    return nested(portMatcher(ports));
  }

  static Matcher.OnMatch ports(Map<Integer, Matcher.OnMatch> ports, Matcher.OnMatch others) {
    return ports.isEmpty()
        ? others
        : nested(portMatcher(ports).toBuilder().setOnNoMatch(others).build());
  }

  private static Matcher portMatcher(Map<Integer, Matcher.OnMatch> ports) {
    Matcher.MatcherTree.MatchMap.Builder map = Matcher.MatcherTree.MatchMap.newBuilder();
    new TreeMap<>(ports).forEach((port, match) -> map.putMap(String.valueOf(port), match));
    return Matcher.newBuilder()
        .setMatcherTree(
            Matcher.MatcherTree.newBuilder()
                .setInput(extension("port", DestinationPortInput.getDefaultInstance()))
                .setExactMatchMap(map))
        .build();
  }

  /** What was found in the client's first bytes. */
  static Matcher.OnMatch protocol(String http, Matcher.OnMatch others) {
    Matcher.MatcherTree.MatchMap.Builder map = Matcher.MatcherTree.MatchMap.newBuilder();
    // The input is a list of quoted names.
    for (String name : List.of("'http/1.0'", "'http/1.1'", "'h2c'")) {
      map.putMap(name, chain(http));
    }
    return nested(
        Matcher.newBuilder()
            .setMatcherTree(
                Matcher.MatcherTree.newBuilder()
                    .setInput(extension("protocol", ApplicationProtocolInput.getDefaultInstance()))
                    .setExactMatchMap(map))
            .setOnNoMatch(others)
            .build());
  }

  /** The first that fits; where none does, there is no chain. */
  static Matcher.OnMatch first(List<Matcher.MatcherList.FieldMatcher> choices) {
    return nested(
        Matcher.newBuilder()
            .setMatcherList(Matcher.MatcherList.newBuilder().addAllMatchers(choices))
            .build());
  }

  static Matcher.MatcherList.FieldMatcher when(
      Matcher.MatcherList.Predicate predicate, Matcher.OnMatch then) {
    return Matcher.MatcherList.FieldMatcher.newBuilder()
        .setPredicate(predicate)
        .setOnMatch(then)
        .build();
  }

  /** The state that a connection came with has such a text. */
  static Matcher.MatcherList.Predicate state(String key, StringMatcher text) {
    return predicate(extension("state", FilterStateInput.newBuilder().setKey(key).build()), text);
  }

  /** The name that the client asks for in TLS is this, or ends in what follows "*". */
  static Matcher.MatcherList.Predicate serverName(String name) {
    return predicate(
        extension("name", ServerNameInput.getDefaultInstance()),
        name.startsWith("*")
            ? StringMatcher.newBuilder().setSuffix(name.substring(1)).build()
            : StringMatcher.newBuilder().setExact(name).build());
  }

  static Matcher.MatcherList.Predicate any(List<Matcher.MatcherList.Predicate> predicates) {
    return predicates.size() == 1
        ? predicates.getFirst()
        : Matcher.MatcherList.Predicate.newBuilder()
            .setOrMatcher(
                Matcher.MatcherList.Predicate.PredicateList.newBuilder()
                    .addAllPredicate(predicates))
            .build();
  }

  static Matcher.MatcherList.Predicate both(
      Matcher.MatcherList.Predicate one, Matcher.MatcherList.Predicate other) {
    return Matcher.MatcherList.Predicate.newBuilder()
        .setAndMatcher(
            Matcher.MatcherList.Predicate.PredicateList.newBuilder()
                .addPredicate(one)
                .addPredicate(other))
        .build();
  }

  private static Matcher.MatcherList.Predicate predicate(
      TypedExtensionConfig input, StringMatcher text) {
    return Matcher.MatcherList.Predicate.newBuilder()
        .setSinglePredicate(
            Matcher.MatcherList.Predicate.SinglePredicate.newBuilder()
                .setInput(input)
                .setValueMatch(text))
        .build();
  }

  static Matcher.OnMatch nested(Matcher matcher) {
    return Matcher.OnMatch.newBuilder().setMatcher(matcher).build();
  }

  static TypedExtensionConfig extension(String name, Message configuration) {
    return TypedExtensionConfig.newBuilder()
        .setName(name)
        .setTypedConfig(Any.pack(configuration))
        .build();
  }
}
