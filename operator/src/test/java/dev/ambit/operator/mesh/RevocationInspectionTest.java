package dev.ambit.operator.mesh;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.operator.mesh.model.RevocationVerdict;
import io.fabric8.kubernetes.api.model.SecretBuilder;
import java.time.InstantSource;
import java.util.Base64;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RevocationInspectionTest {
  private final RevocationInspection inspection =
      new RevocationInspection("ambit-system", InstantSource.system());

  @Test
  void withoutAListNothingIsRevokedAndABadOneChangesNothing() {
    var secret = new SecretBuilder().withNewMetadata().withName("ambit-ca").endMetadata().build();
    secret.setData(java.util.Map.of("ca-cert.pem", "x"));
    assertThat(inspection.inspect(AmbientMeshSpec.DEFAULTS, _ -> Optional.of(secret)))
        .isEqualTo(new RevocationVerdict.Absent());
    secret.setData(
        java.util.Map.of("ca-crl.pem", Base64.getEncoder().encodeToString("nonsense".getBytes())));
    assertThat(inspection.inspect(AmbientMeshSpec.DEFAULTS, _ -> Optional.of(secret)))
        .isInstanceOf(RevocationVerdict.Unusable.class);
    assertThat(inspection.inspect(AmbientMeshSpec.DEFAULTS, _ -> Optional.empty()))
        .isEqualTo(new RevocationVerdict.Unknown());
  }

  @Test
  void listsAreDistributedOnceClearedWhenTheyGoAndKeptWhereTheyTurnBad() {
    var usable = new RevocationVerdict.Usable("pem", "1 certificates are revoked.");
    assertThat(usable.change(Optional.empty())).contains("pem");
    assertThat(usable.change(Optional.of("old"))).contains("pem");
    assertThat(usable.change(Optional.of("pem"))).isEmpty();
    var absent = new RevocationVerdict.Absent();
    assertThat(absent.change(Optional.of("pem"))).contains("");
    assertThat(absent.change(Optional.empty())).isEmpty();
    var unusable = new RevocationVerdict.Unusable("why");
    assertThat(unusable.change(Optional.of("pem"))).isEmpty();
    assertThat(unusable.change(Optional.empty())).isEmpty();
  }
}
