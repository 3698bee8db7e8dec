package dev.ambit.operator.waypoint.route.model;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import io.envoyproxy.envoy.config.core.v3.TypedExtensionConfig;
import io.envoyproxy.envoy.extensions.filters.http.stateful_session.v3.StatefulSession;
import io.envoyproxy.envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute;
import io.envoyproxy.envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState;
import io.envoyproxy.envoy.extensions.http.stateful_session.header.v3.HeaderBasedSessionState;
import io.envoyproxy.envoy.type.http.v3.Cookie;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.SessionPersistence;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Translates what keeps a client's requests with one endpoint. */
final class Sessions {
  private Sessions() {}

  /**
   * Translates it.
   *
   * @param identity of the rule, which gives a session without a name one of its own
   */
  static Optional<StatefulSessionPerRoute> of(
      SessionPersistence session, String identity, Problems.Rule rule) {
    String field = "sessionPersistence";
    String type = session.getType() == null ? "Cookie" : session.getType();
    Map<String, Object> newer = Lists.orEmpty(session.getAdditionalProperties());
    Map<?, ?> part =
        newer.get(type.equals("Header") ? "header" : "cookie") instanceof Map<?, ?> map
            ? map
            : Map.of();
    newer.keySet().stream()
        .filter(key -> !key.equals("header") && !key.equals("cookie"))
        .forEach(key -> rule.unenforced(field + "." + key, "is not known"));
    String name = text(part.get("name")).or(() -> text(session.getSessionName())).orElse("");
    if (session.getIdleTimeout() != null) {
      rule.unenforced(field + ".idleTimeout", "Envoy does not see when a session was last used");
    }
    Optional<Duration> absolute = Optional.empty();
    if (session.getAbsoluteTimeout() != null) {
      absolute = GatewayApi.duration(session.getAbsoluteTimeout());
      if (absolute.isEmpty()) {
        rule.unsupported(
            field + ".absoluteTimeout",
            "\"" + session.getAbsoluteTimeout() + "\" is not a duration");
      }
    }
    if (!name.isEmpty() && !HeaderMatches.isName(name)) {
      rule.unsupported(field + ".sessionName", "\"" + name + "\" is not a name");
      return Optional.empty();
    }
    return switch (type) {
      case "Cookie" -> Optional.of(cookie(session, part, name, identity, absolute, rule));
      case "Header" -> {
        if (name.isEmpty()) {
          rule.unsupported(field + ".sessionName", "a header has to be named");
          yield Optional.empty();
        }
        if (absolute.isPresent()) {
          rule.unenforced(field + ".absoluteTimeout", "a header does not end by itself");
        }
        yield Optional.of(
            perRoute(
                "envoy.http.stateful_session.header",
                HeaderBasedSessionState.newBuilder().setName(name).build()));
      }
      default -> {
        rule.unsupported(field + ".type", "\"" + type + "\" is not known");
        yield Optional.empty();
      }
    };
  }

  private static StatefulSessionPerRoute cookie(
      SessionPersistence session,
      Map<?, ?> part,
      String name,
      String identity,
      Optional<Duration> absolute,
      Problems.Rule rule) {
    String lifetime =
        text(part.get("lifetimeType"))
            .or(
                () ->
                    session.getCookieConfig() == null
                        ? Optional.empty()
                        : text(session.getCookieConfig().getLifetimeType()))
            .orElse("Session");
    boolean permanent = lifetime.equals("Permanent");
    if (!permanent && !lifetime.equals("Session")) {
      rule.unsupported(
          "sessionPersistence.cookieConfig.lifetimeType", "\"" + lifetime + "\" is not known");
    }
    if (permanent && absolute.isEmpty()) {
      rule.unsupported(
          "sessionPersistence.absoluteTimeout", "a cookie that is Permanent has to have one");
    }
    if (!permanent && absolute.isPresent()) {
      rule.unenforced(
          "sessionPersistence.absoluteTimeout",
          "Envoy ends a session with the browser's; with lifetimeType Permanent it ends by time");
    }
    Cookie.Builder cookie =
        Cookie.newBuilder()
            .setName(name.isEmpty() ? "ambit-" + digest(identity) : name)
            .setPath(text(part.get("path")).orElse("/"));
    if (permanent) {
      absolute.ifPresent(duration -> cookie.setTtl(GatewayApi.proto(duration)));
    }
    return perRoute(
        "envoy.http.stateful_session.cookie",
        CookieBasedSessionState.newBuilder().setCookie(cookie).build());
  }

  private static StatefulSessionPerRoute perRoute(String name, Message state) {
    return StatefulSessionPerRoute.newBuilder()
        .setStatefulSession(
            StatefulSession.newBuilder()
                .setSessionState(
                    TypedExtensionConfig.newBuilder()
                        .setName(name)
                        .setTypedConfig(Any.pack(state))))
        .build();
  }

  /** The same for the same rule at all times and in all replicas. */
  private static String digest(String text) {
    return UUID.nameUUIDFromBytes(text.getBytes(StandardCharsets.UTF_8)).toString().substring(0, 8);
  }

  private static Optional<String> text(@Nullable Object value) {
    return value instanceof String string && !string.isEmpty()
        ? Optional.of(string)
        : Optional.empty();
  }
}
