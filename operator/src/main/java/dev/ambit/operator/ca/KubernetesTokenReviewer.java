package dev.ambit.operator.ca;

import io.fabric8.kubernetes.api.model.authentication.TokenReview;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewBuilder;
import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatus;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;

/** Reviews tokens by the API server's TokenReview. */
public final class KubernetesTokenReviewer implements TokenReviewer {
  private final KubernetesClient client;

  /** Asks through that client, which has to be allowed to create tokenreviews. */
  public KubernetesTokenReviewer(KubernetesClient client) {
    this.client = client;
  }

  @Override
  public TokenReviewStatus review(String token, String audience) throws IOException {
    TokenReview review =
        new TokenReviewBuilder()
            .withNewSpec()
            .withToken(token)
            .withAudiences(audience)
            .endSpec()
            .build();
    TokenReview answer;
    try {
      answer = client.resource(review).create();
    } catch (KubernetesClientException e) {
      // The message quotes the request, and with it the token, in no version seen; the status is
      // enough all the same.
      throw new IOException("TokenReview failed with status " + e.getCode());
    }
    if (answer == null || answer.getStatus() == null) {
      throw new IOException("TokenReview was answered without a status");
    }
    return answer.getStatus();
  }
}
