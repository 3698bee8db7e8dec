package dev.ambit.operator.ca;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.operator.ca.Authenticator.Credentials;
import dev.ambit.operator.ca.Authenticator.Result;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatus;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatusBuilder;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

class ServiceAccountTokenAuthenticatorTest {
  private static final Credentials TOKEN = new Credentials(List.of(), Optional.of("secret-token"));

  private final AtomicReference<Instant> now =
      new AtomicReference<>(Instant.parse("2026-11-22T12:00:00Z"));
  private final AtomicInteger reviews = new AtomicInteger();

  static TokenReviewStatus status(String user, String audience, String group) {
    return new TokenReviewStatusBuilder()
        .withAuthenticated(true)
        .withAudiences(audience)
        .withNewUser()
        .withUsername(user)
        .withGroups(group)
        .addToExtra("authentication.kubernetes.io/pod-name", List.of("ztunnel-1"))
        .addToExtra("authentication.kubernetes.io/pod-uid", List.of("uid-1"))
        .endUser()
        .build();
  }

  private Authenticator authenticator(TokenReviewer reviewer) {
    return new ServiceAccountTokenAuthenticator(
        (token, audience) -> {
          reviews.incrementAndGet();
          return reviewer.review(token, audience);
        },
        () -> new TrustDomain("cluster.local"),
        now::get);
  }

  private static Refusal.Reason reason(Result result) {
    assertThat(result).isInstanceOf(Result.Refused.class);
    return ((Result.Refused) result).refusal().reason();
  }

  @Test
  void theCallerIsTheAccountAndPodThatTheApiServerNames() {
    Result result =
        authenticator(
                (_, audience) ->
                    status(
                        "system:serviceaccount:ambit-system:ztunnel",
                        audience,
                        "system:serviceaccounts"))
            .authenticate(TOKEN);
    assertThat(result)
        .isEqualTo(
            new Result.Authenticated(
                new Caller(
                    new SpiffeId(new TrustDomain("cluster.local"), "ambit-system", "ztunnel"),
                    Optional.of(new Caller.BoundPod("ztunnel-1", "uid-1")))));
  }

  @Test
  void othersThanServiceAccountsAndOtherAudiencesAreRefused() {
    assertThat(
            reason(
                authenticator((_, audience) -> status("admin", audience, "system:serviceaccounts"))
                    .authenticate(TOKEN)))
        .isEqualTo(Refusal.Reason.TOKEN_OF_NO_SERVICE_ACCOUNT);
    assertThat(
            reason(
                authenticator(
                        (_, audience) ->
                            status("system:serviceaccount:a:b", audience, "system:masters"))
                    .authenticate(TOKEN)))
        .isEqualTo(Refusal.Reason.TOKEN_OF_NO_SERVICE_ACCOUNT);
    assertThat(
            reason(
                authenticator(
                        (_, _) ->
                            status("system:serviceaccount:a:b", "api", "system:serviceaccounts"))
                    .authenticate(TOKEN)))
        .isEqualTo(Refusal.Reason.TOKEN_REJECTED);
    assertThat(
            reason(
                authenticator(
                        (_, _) -> new TokenReviewStatusBuilder().withAuthenticated(false).build())
                    .authenticate(TOKEN)))
        .isEqualTo(Refusal.Reason.TOKEN_REJECTED);
  }

  @Test
  void resultsAreKeptForAWhileAndFailuresOfTheApiServerAreNot() {
    Authenticator authenticator =
        authenticator(
            (_, audience) ->
                status("system:serviceaccount:a:b", audience, "system:serviceaccounts"));
    authenticator.authenticate(TOKEN);
    authenticator.authenticate(TOKEN);
    assertThat(reviews).hasValue(1);
    now.updateAndGet(instant -> instant.plus(ServiceAccountTokenAuthenticator.KEPT));
    authenticator.authenticate(TOKEN);
    assertThat(reviews).hasValue(2);

    Authenticator away =
        authenticator(
            (_, _) -> {
              throw new IOException("away");
            });
    assertThat(reason(away.authenticate(TOKEN))).isEqualTo(Refusal.Reason.TOKEN_REVIEW_UNAVAILABLE);
    away.authenticate(TOKEN);
    assertThat(reviews).hasValue(4);
  }

  @Test
  void credentialsDoNotShowTheToken() {
    assertThat(TOKEN.toString()).doesNotContain("secret-token");
  }
}
