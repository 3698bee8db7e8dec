package dev.ambit.operator.mesh;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.operator.ca.InvalidAuthorityException;
import dev.ambit.operator.ca.RevocationLists;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.ca.SigningMaterial;
import dev.ambit.operator.mesh.model.RevocationVerdict;
import io.fabric8.kubernetes.api.model.Secret;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/** Reads the revocation lists that the certificate authority's Secret holds. */
final class RevocationInspection {
  private final String rootNamespace;
  private final InstantSource clock;

  RevocationInspection(String rootNamespace, InstantSource clock) {
    this.rootNamespace = rootNamespace;
    this.clock = clock;
  }

  RevocationVerdict inspect(AmbientMeshSpec spec, Function<String, Optional<Secret>> secrets) {
    String given = spec.ca().secretName();
    String name = given == null || given.isEmpty() ? SelfSignedRoot.SECRET : given;
    Map<String, String> data = secrets.apply(name).map(Secret::getData).orElse(null);
    if (data == null) {
      // Not made yet, or gone, which takes nothing back.
      return new RevocationVerdict.Unknown();
    }
    String encoded = data.get(WellKnown.REVOCATION_KEY);
    if (encoded == null || encoded.isBlank()) {
      return new RevocationVerdict.Absent();
    }
    String secret = rootNamespace + "/" + name;
    String where = "Secret " + secret + ", key " + WellKnown.REVOCATION_KEY;
    try {
      SigningMaterial authority = SigningMaterial.fromSecret(secret, data, clock.instant());
      RevocationLists lists =
          RevocationLists.read(where, Base64.getMimeDecoder().decode(encoded), authority);
      return new RevocationVerdict.Usable(lists.pem(), message(lists));
    } catch (InvalidAuthorityException | IllegalArgumentException e) {
      return new RevocationVerdict.Unusable(
          Objects.requireNonNullElse(e.getMessage(), e.toString()));
    }
  }

  private String message(RevocationLists lists) {
    Optional<Instant> next = lists.nextUpdate();
    String due =
        next.isEmpty()
            ? ""
            : next.get().isAfter(clock.instant())
                ? " The next list is due at " + next.get() + "."
                : " A newer list was due at "
                    + next.get()
                    + "; these stay in use until it is there.";
    return lists.revoked() + " certificates are revoked." + due;
  }
}
