package dev.ambit.operator.ca;

import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatus;
import io.fabric8.kubernetes.api.model.authentication.UserInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Takes the identity from a service account's token, as the API server's TokenReview finds it.
 * Results are kept for a short time under the token's hash, so that a node that renews many
 * certificates asks once.
 */
public final class ServiceAccountTokenAuthenticator implements Authenticator {
  /** The audience that tokens for the control plane are made for. */
  public static final String AUDIENCE = "istio-ca";

  static final Duration KEPT = Duration.ofSeconds(30);
  static final Duration REJECTION_KEPT = Duration.ofSeconds(2);
  private static final int MOST_KEPT = 10_000;
  private static final String USER_PREFIX = "system:serviceaccount:";
  private static final String GROUP = "system:serviceaccounts";
  private static final String POD_NAME = "authentication.kubernetes.io/pod-name";
  private static final String POD_UID = "authentication.kubernetes.io/pod-uid";

  private final TokenReviewer reviewer;
  private final Supplier<TrustDomain> trustDomain;
  private final InstantSource clock;
  private final Map<String, Kept> kept =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Kept> eldest) {
          return size() > MOST_KEPT;
        }
      };

  private record Kept(Result result, Instant until) {}

  /** Identities are given that trust domain. */
  public ServiceAccountTokenAuthenticator(
      TokenReviewer reviewer, Supplier<TrustDomain> trustDomain, InstantSource clock) {
    this.reviewer = reviewer;
    this.trustDomain = trustDomain;
    this.clock = clock;
  }

  @Override
  public Result authenticate(Credentials credentials) {
    Optional<String> token = credentials.bearerToken();
    if (token.isEmpty()) {
      return new Result.NotApplicable();
    }
    String key = hash(token.get()) + '@' + trustDomain.get();
    Instant now = clock.instant();
    synchronized (kept) {
      Kept known = kept.get(key);
      if (known != null && now.isBefore(known.until())) {
        return known.result();
      }
      kept.remove(key);
    }
    TokenReviewStatus status;
    try {
      status = reviewer.review(token.get(), AUDIENCE);
    } catch (IOException e) {
      return refused(
          Refusal.Reason.TOKEN_REVIEW_UNAVAILABLE,
          "the API server cannot review tokens: " + e.getMessage());
    }
    Result result = judge(status);
    Duration keep = result instanceof Result.Authenticated ? KEPT : REJECTION_KEPT;
    synchronized (kept) {
      kept.put(key, new Kept(result, now.plus(keep)));
    }
    return result;
  }

  private Result judge(TokenReviewStatus status) {
    if (!Boolean.TRUE.equals(status.getAuthenticated())) {
      return refused(
          Refusal.Reason.TOKEN_REJECTED,
          "the API server does not accept the token: " + status.getError());
    }
    // An API server that does not know audiences would leave this empty, and accept any token.
    if (status.getAudiences() == null || !status.getAudiences().contains(AUDIENCE)) {
      return refused(
          Refusal.Reason.TOKEN_REJECTED, "the token is not for the audience " + AUDIENCE);
    }
    UserInfo user = status.getUser();
    String name = user == null || user.getUsername() == null ? "" : user.getUsername();
    String[] parts =
        name.startsWith(USER_PREFIX)
            ? name.substring(USER_PREFIX.length()).split(":", -1)
            : new String[0];
    if (user == null
        || parts.length != 2
        || parts[0].isEmpty()
        || parts[1].isEmpty()
        || user.getGroups() == null
        || !user.getGroups().contains(GROUP)) {
      return refused(
          Refusal.Reason.TOKEN_OF_NO_SERVICE_ACCOUNT,
          "the token is for \"" + name + "\", not for a service account");
    }
    return new Result.Authenticated(
        new Caller(new SpiffeId(trustDomain.get(), parts[0], parts[1]), pod(user)));
  }

  private static Optional<Caller.BoundPod> pod(UserInfo user) {
    Optional<String> name = extra(user, POD_NAME);
    Optional<String> uid = extra(user, POD_UID);
    return name.isPresent() && uid.isPresent()
        ? Optional.of(new Caller.BoundPod(name.get(), uid.get()))
        : Optional.empty();
  }

  private static Optional<String> extra(UserInfo user, String key) {
    List<String> values = user.getExtra() == null ? null : user.getExtra().get(key);
    return values == null || values.size() != 1 ? Optional.empty() : Optional.of(values.getFirst());
  }

  private static Result refused(Refusal.Reason reason, String detail) {
    return new Result.Refused(new Refusal(reason, detail));
  }

  private static String hash(String token) {
    try {
      return HexFormat.of()
          .formatHex(
              MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java runtime lacks SHA-256", e);
    }
  }
}
