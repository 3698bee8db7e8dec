package dev.ambit.operator.enrollment.model;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.Finding;
import dev.ambit.api.PlaintextSender;
import dev.ambit.api.Severity;
import dev.ambit.operator.preflight.model.PreflightReasons;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Whom strict mTLS would refuse at once, of those that ztunnels know of. */
public final class StrictRefusals {
  private StrictRefusals() {}

  /**
   * The findings with them.
   *
   * @param asked what the enrollment says of plaintext
   * @param sightings what ztunnels have seen of it, where it is not refused yet
   */
  public static List<Finding> with(
      List<Finding> findings, @Nullable EnrollmentMtls asked, PlaintextSightings sightings) {
    if (asked != EnrollmentMtls.STRICT || sightings.at() == null) {
      return findings;
    }
    return Stream.concat(
            findings.stream(),
            QuietWatch.senders(sightings).stream()
                .limit(QuietWatch.MOST_SENDERS)
                .map(StrictRefusals::finding)
                .distinct())
        .toList();
  }

  private static Finding finding(PlaintextSender sender) {
    return new Finding(
        Severity.WARNING,
        PreflightReasons.STRICT_REFUSES,
        object(sender.from()),
        "It sends plaintext to port "
            + sender.port()
            + " ("
            + sender.protocol()
            + ") of "
            + sender.to()
            + ", which spec.mtls: Strict refuses. Take it into the mesh first, or ask for"
            + " StrictWhenQuiet.");
  }

  /** As findings name objects: with a capital letter. */
  private static String object(String from) {
    return from.contains(" ")
        ? from.substring(0, 1).toUpperCase(Locale.ROOT) + from.substring(1)
        : "Address " + from;
  }
}
