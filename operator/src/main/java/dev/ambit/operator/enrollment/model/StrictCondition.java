package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsStatus;
import dev.ambit.api.PlaintextSender;
import dev.ambit.api.Stage;
import dev.ambit.capture.PodNumber;
import dev.ambit.operator.model.MtlsPolicies;
import dev.ambit.operator.model.Names;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Says whether a namespace's captured pods refuse plaintext, where its enrollment has a say. */
final class StrictCondition {
  private static final int MOST_NAMED = 3;

  private StrictCondition() {}

  /** The condition; nothing where the enrollment leaves it to the mesh. */
  static Optional<Wanted> of(EnrollmentObservation observed, @Nullable Strictness strictness) {
    if (strictness == null
        || observed.asked() == Stage.NONE
        || !(observed.source() instanceof EnrollmentSource.User(MeshEnrollmentSpec spec))) {
      return Optional.empty();
    }
    EnrollmentMtls asked = spec.mtls();
    if (asked == null) {
      return Optional.empty();
    }
    MtlsPolicies policies = observed.mtls().policies();
    boolean strict = strictness.mtls() == EnrollmentMtls.STRICT;
    if (!policies.exceptions().isEmpty() && (strict || !policies.strict().isEmpty())) {
      return wanted(
          false,
          "PeerAuthenticationPermits",
          "Plaintext is refused but where these PeerAuthentications accept it for pods that they"
              + " select: "
              + Names.some(policies.exceptions())
              + ". Delete them, or take the namespace's mode into them, to have it refused"
              + " everywhere.");
    }
    if (!policies.strict().isEmpty() && !strict) {
      return wanted(
          true,
          "PeerAuthenticationStricter",
          "PeerAuthentication "
              + policies.strict()
              + " of the namespace refuses plaintext, and spec.mtls would not: the stricter one"
              + " holds.");
    }
    return strict
        ? inForce(observed, asked, strictness, policies)
        : notYet(observed, spec, asked, strictness);
  }

  private static Optional<Wanted> inForce(
      EnrollmentObservation observed,
      EnrollmentMtls asked,
      Strictness strictness,
      MtlsPolicies policies) {
    if (!policies.permissive().isEmpty()) {
      return wanted(
          true,
          "OverridesPeerAuthentication",
          "Captured pods refuse plaintext, though PeerAuthentication "
              + policies.permissive()
              + " of the namespace accepts it: the stricter one holds.");
    }
    MtlsStatus status = strictness.status();
    String since = status == null ? null : status.strictSince();
    String quietSince = status == null ? null : status.quietSince();
    boolean byQuiet = asked == EnrollmentMtls.STRICT_WHEN_QUIET && quietSince != null;
    return wanted(
        true,
        byQuiet ? "Quiet" : "Strict",
        "Captured pods refuse plaintext"
            + (since == null ? "" : " since " + since)
            + (byQuiet ? "; none had arrived since " + quietSince : "")
            + "."
            + outside(observed));
  }

  /** Excluded pods enforce nothing. */
  private static String outside(EnrollmentObservation observed) {
    int excluded = observed.pods().census(PodNumber.ALL).excluded().size();
    return excluded == 0
        ? ""
        : " "
            + excluded
            + " pods are excluded from the mesh (status.excluded), where nobody refuses anything.";
  }

  private static Optional<Wanted> notYet(
      EnrollmentObservation observed,
      MeshEnrollmentSpec spec,
      EnrollmentMtls asked,
      Strictness strictness) {
    if (asked == EnrollmentMtls.PERMISSIVE) {
      return wanted(
          false, "Permissive", "spec.mtls is Permissive: captured pods accept plaintext.");
    }
    MtlsStatus status = strictness.status();
    if (status == null || status.quietSince() == null) {
      return wanted(
          false,
          spec.paused() ? "Paused" : "PodsNotInMesh",
          "Plaintext is accepted until all pods of the namespace are captured and proven"
              + (spec.paused() ? " and spec.paused is false." : "."));
    }
    if (!strictness.gaps().isEmpty()) {
      return wanted(
          false,
          "EvidenceIncomplete",
          "Plaintext is accepted, since it is not known whether it has stopped: "
              + Names.some(strictness.gaps())
              + ".");
    }
    return watched(spec, QuietWatch.needed(spec, observed.mtls().udp()), status, observed.now());
  }

  private static Optional<Wanted> watched(
      MeshEnrollmentSpec spec, Duration needed, MtlsStatus status, Instant now) {
    Instant due = Instant.parse(status.quietSince()).plus(needed);
    List<PlaintextSender> recent =
        status.plaintext().stream()
            .filter(
                sender ->
                    sender.open() > 0 || Instant.parse(sender.last()).plus(needed).isAfter(now))
            .toList();
    String then =
        spec.paused()
            ? "It stays so while spec.paused is true."
            : "It is refused from " + due + " on, if none arrives until then.";
    if (recent.isEmpty()) {
      return wanted(
          false,
          "Quieting",
          "Plaintext is accepted. None has arrived since " + status.quietSince() + ". " + then);
    }
    return wanted(
        false,
        "PlaintextArrives",
        "Plaintext is accepted, and arrives: "
            + recent.stream()
                .limit(MOST_NAMED)
                .map(StrictCondition::describe)
                .collect(Collectors.joining("; "))
            + (status.senders() > MOST_NAMED ? "; see status.mtls" : "")
            + ". "
            + then);
  }

  /** One sender, for a person. */
  static String describe(PlaintextSender sender) {
    return sender.from()
        + " to "
        + sender.to()
        + " port "
        + sender.port()
        + ("udp".equals(sender.protocol()) ? " (UDP)" : "")
        + ", "
        + sender.connections()
        + ("udp".equals(sender.protocol()) ? " flows" : " connections")
        + (sender.open() > 0 ? ", " + sender.open() + " open now" : ", last at " + sender.last());
  }

  private static Optional<Wanted> wanted(boolean holds, String reason, String message) {
    return Optional.of(new Wanted(Conditions.MTLS_STRICT, holds, reason, message));
  }
}
