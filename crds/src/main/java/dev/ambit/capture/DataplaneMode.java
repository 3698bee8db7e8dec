package dev.ambit.capture;

import dev.ambit.api.WellKnown;
import java.util.Map;

/** What the label {@code istio.io/dataplane-mode} of a namespace or pod says. */
public enum DataplaneMode {
  ABSENT,
  AMBIENT,
  NONE,
  UNKNOWN;

  /** Reads the label among all labels of an object. */
  public static DataplaneMode of(Map<String, String> labels) {
    String value = labels.get(WellKnown.DATAPLANE_MODE);
    if (value == null || value.isEmpty()) {
      return ABSENT;
    }
    return switch (value) {
      case WellKnown.DATAPLANE_MODE_AMBIENT -> AMBIENT;
      case WellKnown.DATAPLANE_MODE_NONE -> NONE;
      default -> UNKNOWN;
    };
  }
}
