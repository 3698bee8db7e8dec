package dev.ambit.capture;

import dev.ambit.api.WellKnown;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** How far the redirection of a pod's traffic is, as its node agent writes it to annotations. */
public enum Redirection {
  /** Nothing of the mesh is in the pod. */
  ABSENT(null, null),

  /** Rules are in, and the ztunnel has not taken the pod yet. */
  PENDING(WellKnown.REDIRECTION_PENDING, null),

  /** The pod's traffic is redirected, and it takes tunnels. */
  ENABLED(WellKnown.REDIRECTION_ENABLED, null),

  /** The pod takes no tunnels any more, while connections that were redirected still end. */
  DRAINING(null, WellKnown.DRAINING_VALUE);

  private final @Nullable String redirection;
  private final @Nullable String draining;

  Redirection(@Nullable String redirection, @Nullable String draining) {
    this.redirection = redirection;
    this.draining = draining;
  }

  /** Reads a pod's annotations. A value that nobody writes says nothing. */
  public static Redirection of(Map<String, String> annotations) {
    return switch (annotations.getOrDefault(WellKnown.REDIRECTION, "")) {
      case WellKnown.REDIRECTION_ENABLED -> ENABLED;
      case WellKnown.REDIRECTION_PENDING -> PENDING;
      default ->
          WellKnown.DRAINING_VALUE.equals(annotations.get(WellKnown.DRAINING)) ? DRAINING : ABSENT;
    };
  }

  /** Both annotations that say so; null for one that must not be there. */
  public Map<String, @Nullable String> annotations() {
    Map<String, @Nullable String> both = new LinkedHashMap<>();
    both.put(WellKnown.REDIRECTION, redirection);
    both.put(WellKnown.DRAINING, draining);
    return both;
  }

  /** Whether a pod's annotations say exactly this, with nothing left of another state. */
  public boolean isWrittenIn(Map<String, String> annotations) {
    return Objects.equals(annotations.get(WellKnown.REDIRECTION), redirection)
        && Objects.equals(annotations.get(WellKnown.DRAINING), draining);
  }
}
