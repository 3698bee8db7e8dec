package dev.ambit.operator.waypoint.traffic.model;

import com.google.protobuf.Any;
import com.google.protobuf.UInt32Value;
import io.envoyproxy.envoy.config.route.v3.RetryPolicy;
import io.envoyproxy.envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate;
import io.envoyproxy.envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig;
import io.fabric8.istio.api.api.networking.v1alpha3.HTTPRetry;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** When a request is tried once more. */
public final class Retries {
  /** Istio's, for every route that says nothing of its own. */
  static final String USUAL_CONDITIONS = "connect-failure,refused-stream,unavailable,cancelled";

  private static final int USUAL_ATTEMPTS = 2;
  private static final String PREVIOUS_HOSTS = "envoy.retry_host_predicates.previous_hosts";

  /** Envoy goes by the type; the name says that a rule asks for it by itself. */
  private static final String ASKED_FOR = PREVIOUS_HOSTS + ".asked_for";

  private static final String BY_STATUS = "retriable-status-codes";

  private static final Set<String> CONDITIONS =
      Set.of(
          "5xx",
          "gateway-error",
          "reset",
          "reset-before-request",
          "connect-failure",
          "envoy-ratelimited",
          "retriable-4xx",
          "refused-stream",
          BY_STATUS,
          "retriable-headers",
          "http3-post-connect-failure",
          "cancelled",
          "deadline-exceeded",
          "internal",
          "resource-exhausted",
          "unavailable");

  private static final RetryPolicy.RetryHostPredicate OTHER_HOSTS =
      RetryPolicy.RetryHostPredicate.newBuilder()
          .setName(PREVIOUS_HOSTS)
          .setTypedConfig(Any.pack(PreviousHostsPredicate.getDefaultInstance()))
          .build();

  private static final RetryPolicy.RetryPriority OTHER_PRIORITIES =
      RetryPolicy.RetryPriority.newBuilder()
          .setName("envoy.retry_priorities.previous_priorities")
          .setTypedConfig(
              Any.pack(PreviousPrioritiesConfig.newBuilder().setUpdateFrequency(2).build()))
          .build();

  private static final RetryPolicy STANDARD =
      RetryPolicy.newBuilder()
          .setRetryOn(USUAL_CONDITIONS)
          .setNumRetries(UInt32Value.of(USUAL_ATTEMPTS))
          .addRetryHostPredicate(OTHER_HOSTS)
          .setHostSelectionRetryMaxAttempts(5)
          .build();

  /** No retries; not the same as nothing said, for which the standard holds. */
  private static final RetryPolicy NONE =
      RetryPolicy.newBuilder().setNumRetries(UInt32Value.of(0)).build();

  private Retries() {}

  /**
   * Istio's standard, for a route that says nothing: two more tries, at other endpoints, of what an
   * endpoint cannot have begun to do.
   */
  public static RetryPolicy standard() {
    return STANDARD;
  }

  /**
   * The same, at the same endpoint where the request hashes to it again, unless a rule asks for
   * others.
   */
  static RetryPolicy anywhere(RetryPolicy policy) {
    RetryPolicy.Builder anywhere = policy.toBuilder().clearRetryHostPredicate();
    policy.getRetryHostPredicateList().stream()
        .filter(predicate -> !predicate.getName().equals(PREVIOUS_HOSTS))
        .forEach(anywhere::addRetryHostPredicate);
    return anywhere.build();
  }

  static RetryPolicy translate(String path, @Nullable HTTPRetry retry, Findings findings) {
    if (retry == null) {
      return STANDARD;
    }
    findings.unknown(path, retry.getAdditionalProperties());
    if (retry.getAttempts() == null || retry.getAttempts() <= 0) {
      return NONE;
    }
    RetryPolicy.Builder policy =
        STANDARD.toBuilder().setNumRetries(UInt32Value.of(retry.getAttempts()));
    if (retry.getRetryOn() != null && !retry.getRetryOn().isBlank()) {
      conditions(path + ".retryOn", retry.getRetryOn(), policy, findings);
    }
    Durations.of(path + ".perTryTimeout", retry.getPerTryTimeout(), findings)
        .ifPresent(policy::setPerTryTimeout);
    Durations.positive(path + ".backoff", retry.getBackoff(), findings)
        .ifPresent(
            base ->
                policy.setRetryBackOff(
                    RetryPolicy.RetryBackOff.newBuilder().setBaseInterval(base)));
    if (retry.getRetryIgnorePreviousHosts() != null) {
      policy.clearRetryHostPredicate();
      if (retry.getRetryIgnorePreviousHosts()) {
        policy.addRetryHostPredicate(OTHER_HOSTS.toBuilder().setName(ASKED_FOR));
      }
    }
    if (Boolean.TRUE.equals(retry.getRetryRemoteLocalities())) {
      policy.setRetryPriority(OTHER_PRIORITIES);
    }
    return policy.build();
  }

  private static void conditions(
      String path, String retryOn, RetryPolicy.Builder policy, Findings findings) {
    List<String> conditions = new ArrayList<>();
    for (String part : retryOn.split(",")) {
      String condition = part.strip();
      if (condition.matches("[1-5]\\d\\d")) {
        policy.addRetriableStatusCodes(Integer.parseInt(condition));
      } else if (CONDITIONS.contains(condition)) {
        conditions.add(condition);
      } else if (!condition.isEmpty()) {
        findings.add(path, "\"" + condition + "\" is no condition that Envoy knows");
      }
    }
    if (policy.getRetriableStatusCodesCount() > 0 && !conditions.contains(BY_STATUS)) {
      conditions.add(BY_STATUS);
    }
    policy.setRetryOn(String.join(",", conditions));
  }
}
