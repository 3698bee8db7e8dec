package dev.ambit.operator.waypoint.security.model;

import com.google.protobuf.UInt32Value;
import io.envoyproxy.envoy.config.core.v3.CidrRange;
import io.envoyproxy.envoy.config.rbac.v3.SourcedMetadata;
import io.envoyproxy.envoy.config.route.v3.HeaderMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ListMatcher;
import io.envoyproxy.envoy.type.matcher.v3.MetadataMatcher;
import io.envoyproxy.envoy.type.matcher.v3.OrMatcher;
import io.envoyproxy.envoy.type.matcher.v3.PathMatcher;
import io.envoyproxy.envoy.type.matcher.v3.RegexMatcher;
import io.envoyproxy.envoy.type.matcher.v3.StringMatcher;
import io.envoyproxy.envoy.type.matcher.v3.ValueMatcher;

/** Conditions on single values as Envoy's messages have them. */
final class Matchers {
  private Matchers() {}

  static StringMatcher string(TextMatch match) {
    return switch (match) {
      case TextMatch.Exact(String text, boolean ignoreCase) ->
          StringMatcher.newBuilder().setExact(text).setIgnoreCase(ignoreCase).build();
      // Envoy takes no empty prefix or suffix.
      case TextMatch.Prefix(String text, boolean ignoreCase) ->
          text.isEmpty()
              ? regex("(?s:.*)")
              : StringMatcher.newBuilder().setPrefix(text).setIgnoreCase(ignoreCase).build();
      case TextMatch.Suffix(String text, boolean ignoreCase) ->
          text.isEmpty()
              ? regex("(?s:.*)")
              : StringMatcher.newBuilder().setSuffix(text).setIgnoreCase(ignoreCase).build();
      case TextMatch.Pattern(String regex) -> regex(regex);
      case TextMatch.Present() -> regex("(?s:.+)");
    };
  }

  private static StringMatcher regex(String regex) {
    return StringMatcher.newBuilder()
        .setSafeRegex(RegexMatcher.newBuilder().setRegex(regex))
        .build();
  }

  static HeaderMatcher header(Condition.Header header) {
    HeaderMatcher.Builder matcher = HeaderMatcher.newBuilder().setName(header.name());
    return header.match() instanceof TextMatch.Present
        ? matcher.setPresentMatch(true).build()
        : matcher.setStringMatch(string(header.match())).build();
  }

  static PathMatcher path(Condition.Path path) {
    return PathMatcher.newBuilder().setPath(string(path.match())).build();
  }

  static CidrRange block(AddressBlock block) {
    return CidrRange.newBuilder()
        .setAddressPrefix(block.address())
        .setPrefixLen(UInt32Value.of(block.length()))
        .build();
  }

  static SourcedMetadata metadata(Condition.Metadata metadata) {
    MetadataMatcher.Builder matcher =
        MetadataMatcher.newBuilder().setFilter(metadata.filter()).setValue(value(metadata.match()));
    metadata
        .path()
        .forEach(key -> matcher.addPath(MetadataMatcher.PathSegment.newBuilder().setKey(key)));
    return SourcedMetadata.newBuilder().setMetadataMatcher(matcher).build();
  }

  private static ValueMatcher value(Condition.MetadataMatch match) {
    return switch (match) {
      case Condition.MetadataMatch.OfText(TextMatch text) ->
          ValueMatcher.newBuilder()
              .setOrMatch(
                  OrMatcher.newBuilder()
                      .addValueMatchers(text(text))
                      .addValueMatchers(element(text)))
              .build();
      case Condition.MetadataMatch.OfElement(TextMatch text) -> element(text);
      case Condition.MetadataMatch.OfBoolean(boolean value) ->
          ValueMatcher.newBuilder().setBoolMatch(value).build();
      case Condition.MetadataMatch.OfNumber(double value) ->
          ValueMatcher.newBuilder()
              .setDoubleMatch(
                  io.envoyproxy.envoy.type.matcher.v3.DoubleMatcher.newBuilder().setExact(value))
              .build();
      case Condition.MetadataMatch.Present() ->
          ValueMatcher.newBuilder().setPresentMatch(true).build();
    };
  }

  private static ValueMatcher text(TextMatch text) {
    return ValueMatcher.newBuilder().setStringMatch(string(text)).build();
  }

  private static ValueMatcher element(TextMatch text) {
    return ValueMatcher.newBuilder()
        .setListMatch(ListMatcher.newBuilder().setOneOf(text(text)))
        .build();
  }
}
