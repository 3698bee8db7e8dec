package dev.ambit.operator.mesh.model;

import dev.ambit.api.AmbientMeshStatus;
import dev.ambit.api.CertificateAuthorityStatus;
import dev.ambit.api.Conditions;
import dev.ambit.api.Conditions.Wanted;
import io.fabric8.kubernetes.api.model.Condition;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Turns what is known of the mesh into the status that people and tools read. */
public final class MeshStatusReport {
  private static final int MOST_LISTED = 20;

  private MeshStatusReport() {}

  /** The status that follows. */
  public static AmbientMeshStatus of(
      @Nullable AmbientMeshStatus before,
      MeshObservation observed,
      MeshProgress progress,
      @Nullable Long generation,
      Instant now) {
    boolean ready = progress instanceof MeshProgress.Ready;
    boolean stalled = progress instanceof MeshProgress.Stalled;
    boolean ignored = stalled && "NameNotDefault".equals(progress.reason());
    CertificateAuthorityStatus authority =
        switch (observed.authority()) {
          case AuthorityVerdict.Usable(var status) -> status;
          case AuthorityVerdict.Unusable unusable -> before == null ? null : before.ca();
        };
    return new AmbientMeshStatus(
        generation,
        ignored ? null : trustDomain(observed),
        ignored ? null : MeshProgress.nodes(observed),
        ignored ? null : observed.namespaces(),
        ignored ? null : authority,
        conditions(
            before,
            generation,
            now,
            Stream.concat(
                    Stream.of(
                        new Wanted(Conditions.READY, ready, progress.reason(), progress.message()),
                        new Wanted(
                            Conditions.RECONCILING,
                            !ready && !stalled,
                            progress.reason(),
                            progress.message()),
                        new Wanted(
                            Conditions.STALLED, stalled, progress.reason(), progress.message())),
                    ignored
                        ? Stream.empty()
                        : Stream.concat(
                            revocations(observed.revocations()).stream(),
                            providers(observed.providers()).stream()))
                .toArray(Wanted[]::new)));
  }

  /** Nothing is said where there is nothing to distribute. */
  private static Optional<Wanted> revocations(RevocationVerdict verdict) {
    return switch (verdict) {
      case RevocationVerdict.Unknown() -> Optional.empty();
      case RevocationVerdict.Absent() -> Optional.empty();
      case RevocationVerdict.Usable(String _, String message) ->
          Optional.of(new Wanted(Conditions.REVOCATIONS_DISTRIBUTED, true, "Distributed", message));
      case RevocationVerdict.Unusable(String message) ->
          Optional.of(
              new Wanted(
                  Conditions.REVOCATIONS_DISTRIBUTED, false, "InvalidRevocationList", message));
    };
  }

  /** Nothing is said where nothing is wrong. */
  private static Optional<Wanted> providers(List<String> findings) {
    return findings.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new Wanted(
                Conditions.PROVIDERS_ACCEPTED,
                false,
                "UnsupportedValue",
                "waypoints do not do all that is asked for: "
                    + findings.stream().limit(MOST_LISTED).collect(Collectors.joining("; "))));
  }

  /** The status while the mesh is being taken off the nodes. */
  public static AmbientMeshStatus leaving(
      @Nullable AmbientMeshStatus before,
      CleanupProgress.Waiting waiting,
      @Nullable Long generation,
      Instant now) {
    AmbientMeshStatus last =
        before == null ? new AmbientMeshStatus(null, null, null, null, null, List.of()) : before;
    String reason = "NodesNotClean";
    return new AmbientMeshStatus(
        generation,
        last.trustDomain(),
        last.nodes(),
        last.namespaces(),
        last.ca(),
        conditions(
            last,
            generation,
            now,
            new Wanted(Conditions.READY, false, reason, waiting.message()),
            new Wanted(Conditions.RECONCILING, true, reason, waiting.message()),
            new Wanted(Conditions.STALLED, false, reason, waiting.message())));
  }

  private static @Nullable String trustDomain(MeshObservation observed) {
    if (observed.trustDomainInUse() != null) {
      return observed.trustDomainInUse();
    }
    return observed.trustDomainProblem() == null ? observed.trustDomain() : null;
  }

  private static List<Condition> conditions(
      @Nullable AmbientMeshStatus before,
      @Nullable Long generation,
      Instant now,
      Wanted... wanted) {
    return Conditions.update(
        before == null ? List.of() : before.conditions(), List.of(wanted), generation, now);
  }
}
