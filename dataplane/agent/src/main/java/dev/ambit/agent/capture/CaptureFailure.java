package dev.ambit.agent.capture;

import java.io.IOException;

/** Why a pod that should be captured is not yet, in words for the person who runs it. */
public final class CaptureFailure extends IOException {
  private static final long serialVersionUID = 1L;

  private final String reason;

  CaptureFailure(String reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** The event's reason, one word in upper camel case. */
  public String reason() {
    return reason;
  }
}
