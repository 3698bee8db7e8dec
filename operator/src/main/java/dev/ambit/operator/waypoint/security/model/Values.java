package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.model.RegularExpression;
import dev.ambit.operator.waypoint.model.TokenMetadata;
import dev.ambit.operator.waypoint.security.model.Condition.MetadataMatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Values of policy fields as conditions. Empty is a value that means nothing. With {@link
 * Rounding#UP} a condition also holds for what a server may take for the value.
 */
final class Values {
  private static final String SCHEME = "spiffe://";

  /** Of a JWT's payload, in what the filter puts into metadata. */
  static final String PAYLOAD = TokenMetadata.PAYLOAD;

  static final String JWT_FILTER = TokenMetadata.FILTER;

  private Values() {}

  /** A value with its stars: {@code *} is anything, {@code x*} begins with x, {@code *x} ends. */
  sealed interface Form {
    /** The whole text. */
    record Exact(String text) implements Form {}

    /** How it begins. */
    record Prefix(String text) implements Form {}

    /** How it ends. */
    record Suffix(String text) implements Form {}

    /** Anything. */
    record Present() implements Form {}

    static Optional<Form> of(String value) {
      if (value.isEmpty()) {
        return Optional.empty();
      }
      if (value.equals("*")) {
        return Optional.of(new Present());
      }
      if (value.startsWith("*")) {
        // With a star at both ends one of them would have to be taken literally.
        return value.endsWith("*") ? Optional.empty() : Optional.of(new Suffix(value.substring(1)));
      }
      return Optional.of(
          value.endsWith("*")
              ? new Prefix(value.substring(0, value.length() - 1))
              : new Exact(value));
    }

    default TextMatch match(boolean ignoreCase) {
      return switch (this) {
        case Exact(String text) -> new TextMatch.Exact(text, ignoreCase);
        case Prefix(String text) -> new TextMatch.Prefix(text, ignoreCase);
        case Suffix(String text) -> new TextMatch.Suffix(text, ignoreCase);
        case Present() -> new TextMatch.Present();
      };
    }

    /** As a regular expression for one part of a text, which {@code any} stands for. */
    default String regex(String any) {
      return switch (this) {
        case Exact(String text) -> Regex.literal(text);
        case Prefix(String text) -> Regex.literal(text) + any + "*";
        case Suffix(String text) -> any + "*" + Regex.literal(text);
        case Present() -> any + "+";
      };
    }
  }

  /** A client's identity, without its scheme, under each name of the mesh's trust domain. */
  static Optional<Condition> principal(TrustDomains trustDomains, String value) {
    if (value.startsWith(SCHEME)) {
      return Optional.empty();
    }
    return Form.of(value)
        .map(
            _ ->
                Condition.any(
                    trustDomains.expand(value).stream()
                        .flatMap(each -> Form.of(each).stream())
                        .map(Values::peer)
                        .toList()));
  }

  private static Condition peer(Form form) {
    return new Condition.Peer(
        switch (form) {
          case Form.Exact(String text) -> new TextMatch.Exact(SCHEME + text, false);
          case Form.Prefix(String text) -> new TextMatch.Prefix(SCHEME + text, false);
          case Form.Suffix(String text) -> new TextMatch.Suffix(text, false);
          case Form.Present() -> new TextMatch.Present();
        });
  }

  /** The namespace of a client's identity. */
  static Optional<Condition> namespace(String value) {
    return Form.of(value).map(form -> identity("[^/]+", form.regex("[^/]"), "[^/]+"));
  }

  /** "namespace/account", or "account" of the policy's own namespace. */
  static Optional<Condition> serviceAccount(String policyNamespace, String value) {
    int slash = value.indexOf('/');
    String namespace = slash < 0 ? policyNamespace : value.substring(0, slash);
    String account = value.substring(slash + 1);
    return namespace.isEmpty()
            || account.isEmpty()
            || account.indexOf('/') >= 0
            || value.indexOf('*') >= 0
        ? Optional.empty()
        : Optional.of(identity("[^/]+", Regex.literal(namespace), Regex.literal(account)));
  }

  /** The trust domain of a client's identity; the mesh's own under each of its names. */
  static Optional<Condition> trustDomain(TrustDomains trustDomains, String value) {
    if (value.indexOf('/') >= 0) {
      return Optional.empty();
    }
    return Form.of(value)
        .map(
            form -> {
              List<Condition> any = new ArrayList<>();
              any.add(identity(form.regex("[^/]"), "[^/]+", "[^/]+"));
              if (names(trustDomains).stream().anyMatch(name -> matches(form, name))) {
                names(trustDomains)
                    .forEach(name -> any.add(identity(Regex.literal(name), "[^/]+", "[^/]+")));
              }
              return Condition.any(any);
            });
  }

  private static List<String> names(TrustDomains trustDomains) {
    List<String> names = new ArrayList<>(trustDomains.aliases());
    names.add(trustDomains.own());
    return names;
  }

  private static boolean matches(Form form, String text) {
    return switch (form) {
      case Form.Exact(String exact) -> text.equals(exact);
      case Form.Prefix(String prefix) -> text.startsWith(prefix);
      case Form.Suffix(String suffix) -> text.endsWith(suffix);
      case Form.Present() -> true;
    };
  }

  private static Condition identity(String trustDomain, String namespace, String account) {
    return new Condition.Peer(
        new TextMatch.Pattern(SCHEME + trustDomain + "/ns/" + namespace + "/sa/" + account));
  }

  static Optional<Condition> sourceBlock(String value) {
    return AddressBlock.parse(value).map(Condition.SourceAddress::new);
  }

  static Optional<Condition> remoteBlock(String value) {
    return AddressBlock.parse(value).map(Condition.RemoteAddress::new);
  }

  static Optional<Condition> destinationBlock(String value) {
    return AddressBlock.parse(value).map(Condition.DestinationAddress::new);
  }

  static Optional<Condition> port(String value) {
    if (!value.matches("[0-9]{1,5}")) {
      return Optional.empty();
    }
    int port = Integer.parseInt(value);
    return port >= 1 && port <= 65535
        ? Optional.of(new Condition.DestinationPort(port))
        : Optional.empty();
  }

  /** The host of a request; rounded up with whatever port and with the dot of a full name. */
  static Optional<Condition> host(String value, Rounding rounding) {
    return Form.of(value)
        .map(
            form ->
                new Condition.Header(
                    ":authority",
                    switch (rounding) {
                      case DOWN -> form.match(true);
                      case UP -> anyPort(form);
                    }));
  }

  private static TextMatch anyPort(Form form) {
    return switch (form) {
      case Form.Exact(String text) -> hostPattern(Regex.literal(text));
      case Form.Suffix(String text) -> hostPattern("(?s:.*)" + Regex.literal(text));
      case Form.Prefix _, Form.Present _ -> form.match(true);
    };
  }

  private static TextMatch hostPattern(String host) {
    return new TextMatch.Pattern("(?i:" + host + ")\\.?(?::[0-9]*)?");
  }

  /** The method of a request; rounded up whatever the case of its letters. */
  static Optional<Condition> method(String value, Rounding rounding) {
    return Form.of(value)
        .map(form -> new Condition.Header(":method", form.match(rounding == Rounding.UP)));
  }

  /**
   * The path of a request: a form, or a template of segments with {@code {*}} for one and {@code
   * {**}} for the rest. Rounded down it is as Envoy sees it, and in no doubt; rounded up it may be
   * spelt as servers might read it.
   */
  static Optional<Condition> path(String value, Rounding rounding) {
    return pattern(value, rounding)
        .map(
            match -> {
              Condition unresolved =
                  new Condition.Path(new TextMatch.Pattern(Regex.unresolvedPath()));
              Condition path = new Condition.Path(match);
              return switch (rounding) {
                case DOWN -> Condition.all(List.of(path, Condition.not(unresolved)));
                case UP -> {
                  // As it is written too, since no expression matches what is not UTF-8.
                  List<Condition> any = new ArrayList<>();
                  any.add(path);
                  pattern(value, Rounding.DOWN)
                      .ifPresent(written -> any.add(new Condition.Path(written)));
                  if (!(match instanceof TextMatch.Present)) {
                    any.add(unresolved);
                  }
                  yield Condition.any(any);
                }
              };
            });
  }

  private static Optional<TextMatch> pattern(String value, Rounding rounding) {
    if (value.indexOf('{') >= 0 || value.indexOf('}') >= 0) {
      return template(value, rounding);
    }
    return Form.of(value)
        .map(
            form ->
                switch (rounding) {
                  case DOWN -> form.match(false);
                  case UP ->
                      switch (form) {
                        case Form.Exact(String text) ->
                            new TextMatch.Pattern(Regex.anySpellingOf(text));
                        case Form.Prefix(String text) ->
                            new TextMatch.Pattern(Regex.anySpellingOfBeginning(text));
                        case Form.Suffix(String text) ->
                            new TextMatch.Pattern(Regex.anySpellingOfEnd(text));
                        case Form.Present _ -> form.match(false);
                      };
                });
  }

  private static Optional<TextMatch> template(String value, Rounding rounding) {
    if (!value.startsWith("/")) {
      return Optional.empty();
    }
    List<String> segments = List.of(value.substring(1).split("/", -1));
    StringBuilder regex = new StringBuilder();
    for (int i = 0; i < segments.size(); i++) {
      String segment = segments.get(i);
      String slash = rounding == Rounding.UP ? Regex.SLASHES : "/";
      if (segment.equals("{**}")) {
        if (i < segments.size() - 1) {
          return Optional.empty();
        }
        regex.append(slash).append(Regex.ANYTHING);
      } else if (segment.equals("{*}")) {
        regex.append(slash).append("[^/]+");
      } else if (segment.matches("[^{}*]*")) {
        regex
            .append(slash)
            .append(
                rounding == Rounding.UP ? Regex.anySpellingOf(segment) : Regex.literal(segment));
      } else {
        return Optional.empty();
      }
    }
    // What is too long for Envoy is nothing that it could judge.
    return RegularExpression.of(regex.toString()).map(_ -> new TextMatch.Pattern(regex.toString()));
  }

  /**
   * A header. Where it is there several times, rounded down every value must be like that, and
   * rounded up one of them, or one of those in a list.
   */
  static Optional<Condition> header(String name, String value, Rounding rounding) {
    return Form.of(value)
        .flatMap(
            form -> {
              Condition one = new Condition.Header(name, form.match(false));
              return switch (rounding) {
                case DOWN -> everyValue(name, form, one);
                case UP ->
                    Optional.of(
                        Condition.any(
                            List.of(one, new Condition.Header(name, anyOfSeveral(form)))));
              };
            });
  }

  private static Optional<Condition> everyValue(String name, Form form, Condition one) {
    Optional<String> other =
        switch (form) {
          case Form.Exact(String text) -> Regex.otherThan(text);
          case Form.Prefix(String text) -> Regex.notBeginningWith(text);
          case Form.Suffix(String text) -> Regex.notEndingWith(text);
          case Form.Present() -> Optional.of("");
        };
    return other.map(
        regex ->
            regex.isEmpty()
                ? one
                : Condition.all(
                    List.of(
                        one,
                        Condition.not(new Condition.Header(name, new TextMatch.Pattern(regex))))));
  }

  private static TextMatch anyOfSeveral(Form form) {
    String before = "(?s:.*,)?[ \\t]*";
    String after = "[ \\t]*(?s:,.*)?";
    return switch (form) {
      case Form.Exact(String text) -> new TextMatch.Pattern(before + Regex.literal(text) + after);
      case Form.Prefix(String text) ->
          new TextMatch.Pattern(before + Regex.literal(text) + "(?s:.*)");
      case Form.Suffix(String text) ->
          new TextMatch.Pattern("(?s:.*)" + Regex.literal(text) + after);
      case Form.Present _ -> form.match(false);
    };
  }

  /** The name that was asked for in the TLS handshake; names do not distinguish case. */
  static Optional<Condition> serverName(String value) {
    return Form.of(value.toLowerCase(Locale.ROOT))
        .map(form -> new Condition.ServerName(form.match(true)));
  }

  /**
   * Who a token says the request comes from: its issuer and its subject, with a slash between. Both
   * may have slashes of their own.
   */
  static Optional<Condition> requestPrincipal(String value) {
    return Form.of(value)
        .map(
            form ->
                switch (form) {
                  case Form.Exact(String text) ->
                      Condition.any(
                          slashes(text).stream()
                              .map(
                                  at ->
                                      issuerAndSubject(
                                          new TextMatch.Exact(text.substring(0, at), false),
                                          new TextMatch.Exact(text.substring(at + 1), false)))
                              .toList());
                  case Form.Prefix(String text) -> {
                    List<Condition> any = new ArrayList<>();
                    any.add(
                        issuerAndSubject(
                            new TextMatch.Prefix(text, false), new TextMatch.Present()));
                    for (int at : slashes(text)) {
                      String rest = text.substring(at + 1);
                      any.add(
                          issuerAndSubject(
                              new TextMatch.Exact(text.substring(0, at), false),
                              rest.isEmpty()
                                  ? new TextMatch.Present()
                                  : new TextMatch.Prefix(rest, false)));
                    }
                    yield Condition.any(any);
                  }
                  case Form.Suffix(String text) -> {
                    List<Condition> any = new ArrayList<>();
                    any.add(
                        issuerAndSubject(
                            new TextMatch.Present(), new TextMatch.Suffix(text, false)));
                    for (int at : slashes(text)) {
                      String issuer = text.substring(0, at);
                      any.add(
                          issuerAndSubject(
                              issuer.isEmpty()
                                  ? new TextMatch.Present()
                                  : new TextMatch.Suffix(issuer, false),
                              new TextMatch.Exact(text.substring(at + 1), false)));
                    }
                    yield Condition.any(any);
                  }
                  case Form.Present() ->
                      issuerAndSubject(new TextMatch.Present(), new TextMatch.Present());
                });
  }

  private static List<Integer> slashes(String text) {
    List<Integer> positions = new ArrayList<>();
    for (int i = text.indexOf('/'); i >= 0; i = text.indexOf('/', i + 1)) {
      positions.add(i);
    }
    return positions;
  }

  private static Condition issuerAndSubject(TextMatch issuer, TextMatch subject) {
    return Condition.all(List.of(textClaim("iss", issuer), textClaim("sub", subject)));
  }

  private static Condition textClaim(String name, TextMatch match) {
    return new Condition.Metadata(
        JWT_FILTER, List.of(PAYLOAD, name), new MetadataMatch.OfText(match));
  }

  /**
   * A claim of the request's token: a text or a list of texts. Rounded up also a boolean or a
   * number that is written like that.
   */
  static Optional<Condition> claim(List<String> path, String value, Rounding rounding) {
    List<String> full = new ArrayList<>();
    full.add(PAYLOAD);
    full.addAll(path);
    return Form.of(value).map(form -> Condition.any(metadata(JWT_FILTER, full, form, rounding)));
  }

  /** What another filter found out; in brackets it is meant of the elements of a list. */
  static Optional<Condition> metadata(
      String filter, List<String> path, String value, Rounding rounding) {
    if (value.length() > 2 && value.startsWith("[") && value.endsWith("]")) {
      return Form.of(value.substring(1, value.length() - 1))
          .map(
              form ->
                  new Condition.Metadata(
                      filter, path, new MetadataMatch.OfElement(form.match(false))));
    }
    return Form.of(value).map(form -> Condition.any(metadata(filter, path, form, rounding)));
  }

  private static List<Condition> metadata(
      String filter, List<String> path, Form form, Rounding rounding) {
    List<Condition> any = new ArrayList<>();
    any.add(new Condition.Metadata(filter, path, new MetadataMatch.OfText(form.match(false))));
    if (rounding == Rounding.UP) {
      switch (form) {
        case Form.Present() ->
            any.add(new Condition.Metadata(filter, path, new MetadataMatch.Present()));
        case Form.Exact(String text) -> {
          if (text.equals("true") || text.equals("false")) {
            any.add(
                new Condition.Metadata(
                    filter, path, new MetadataMatch.OfBoolean(text.equals("true"))));
          }
          if (text.matches("-?[0-9]{1,15}(\\.[0-9]{1,6})?")) {
            any.add(
                new Condition.Metadata(
                    filter, path, new MetadataMatch.OfNumber(Double.parseDouble(text))));
          }
        }
        case Form.Prefix _, Form.Suffix _ -> {}
      }
    }
    return any;
  }
}
