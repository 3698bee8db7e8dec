package dev.ambit.operator.waypoint.traffic.model;

import io.envoyproxy.envoy.type.v3.FractionalPercent;
import io.fabric8.istio.api.api.networking.v1alpha3.Percent;
import org.jspecify.annotations.Nullable;

/** Percentages as Istio's kinds have them. */
final class Percentages {
  private Percentages() {}

  /**
   * That of a field.
   *
   * @param absent what is meant where neither is set
   * @param whole the older form, in whole percents
   */
  static FractionalPercent of(
      String path,
      @Nullable Percent percentage,
      @Nullable Integer whole,
      double absent,
      Findings findings) {
    double value = absent;
    if (percentage != null) {
      value = percentage.getValue() == null ? 0 : percentage.getValue();
      findings.unknown(path, percentage.getAdditionalProperties());
    } else if (whole != null) {
      value = whole;
    }
    if (!(value >= 0 && value <= 100)) {
      findings.add(path, "is not a percentage; it is taken for the nearest");
      value = value > 100 ? 100 : 0;
    }
    return FractionalPercent.newBuilder()
        .setNumerator((int) Math.round(value * 10_000))
        .setDenominator(FractionalPercent.DenominatorType.MILLION)
        .build();
  }
}
