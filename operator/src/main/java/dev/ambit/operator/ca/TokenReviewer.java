package dev.ambit.operator.ca;

import io.fabric8.kubernetes.api.model.authentication.TokenReviewStatus;
import java.io.IOException;

/** Asks the API server whose a token is. */
@FunctionalInterface
public interface TokenReviewer {
  /**
   * Blocks.
   *
   * @throws IOException where the API server cannot be asked at the moment
   */
  TokenReviewStatus review(String token, String audience) throws IOException;
}
