package dev.ambit.operator.enrollment.model;

import dev.ambit.api.EnrollmentMtls;
import dev.ambit.api.InForce;
import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.MtlsStatus;
import dev.ambit.capture.PodNumber;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a namespace's pods are to do with plaintext now. Once strict it stays so while the spec asks
 * for it and all pods are in the mesh, whatever arrives.
 *
 * @param mtls what is released; null where the mesh decides
 * @param status null where strict mTLS is not asked for, or its time has not come
 * @param gaps what is not known of plaintext, where that is waited for
 */
record Strictness(@Nullable EnrollmentMtls mtls, @Nullable MtlsStatus status, List<String> gaps) {

  Strictness {
    gaps = List.copyOf(gaps);
  }

  /**
   * For a namespace that is in the mesh or comes to it.
   *
   * @param cut what is released to agents
   * @param allIn whether all steps are through, and every pod is captured and proven
   */
  static Strictness of(
      EnrollmentObservation observed, MeshEnrollmentSpec spec, int cut, boolean allIn) {
    EnrollmentMtls asked = spec.mtls();
    if (asked == null) {
      return new Strictness(null, null, List.of());
    }
    InForce before = observed.before().inForce();
    boolean already =
        before != null && before.mtls() == EnrollmentMtls.STRICT && cut >= PodNumber.ALL;
    return switch (asked) {
      case PERMISSIVE -> new Strictness(EnrollmentMtls.PERMISSIVE, null, List.of());
      // Pods that are not in the mesh yet could not talk to those that are.
      case STRICT ->
          already || (allIn && !spec.paused())
              ? strict(observed, observed.before().mtls())
              : new Strictness(EnrollmentMtls.PERMISSIVE, null, List.of());
      case STRICT_WHEN_QUIET ->
          already ? strict(observed, observed.before().mtls()) : watch(observed, spec, cut, allIn);
    };
  }

  private static Strictness strict(EnrollmentObservation observed, @Nullable MtlsStatus before) {
    MtlsStatus known = before == null ? MtlsStatus.NOTHING_YET : before;
    return new Strictness(
        EnrollmentMtls.STRICT,
        known.strictSince() != null
            ? known
            : new MtlsStatus(
                observed.now().truncatedTo(ChronoUnit.SECONDS).toString(),
                known.quietSince(),
                known.asOf(),
                known.senders(),
                known.connections(),
                known.plaintext(),
                // Nothing rests on them any more.
                List.of()),
        List.of());
  }

  private static Strictness watch(
      EnrollmentObservation observed, MeshEnrollmentSpec spec, int cut, boolean allIn) {
    MtlsStatus before = observed.before().mtls();
    if (cut < PodNumber.ALL) {
      return new Strictness(EnrollmentMtls.PERMISSIVE, null, List.of());
    }
    if (before == null || before.quietSince() == null || before.strictSince() != null) {
      return allIn
          ? new Strictness(
              EnrollmentMtls.STRICT_WHEN_QUIET, QuietWatch.begin(observed.now()), List.of())
          : new Strictness(EnrollmentMtls.PERMISSIVE, null, List.of());
    }
    Duration needed = QuietWatch.needed(spec, observed.mtls().udp());
    QuietWatch watch =
        QuietWatch.of(
            before, observed.pods().redirected(), observed.mtls(), needed, observed.now());
    Instant until = watch.until();
    boolean quiet =
        watch.gaps().isEmpty() && until != null && !until.isBefore(watch.quiet().plus(needed));
    return quiet && allIn && !spec.paused()
        ? strict(observed, watch.status())
        : new Strictness(EnrollmentMtls.STRICT_WHEN_QUIET, watch.status(), watch.gaps());
  }
}
