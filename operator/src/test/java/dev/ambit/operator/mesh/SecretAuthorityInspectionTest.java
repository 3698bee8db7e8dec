package dev.ambit.operator.mesh;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.operator.ca.SelfSignedRoot;
import dev.ambit.operator.mesh.model.AuthorityVerdict;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.server.mock.EnableKubernetesMockClient;
import java.time.InstantSource;
import java.util.Optional;
import org.junit.jupiter.api.Test;

@EnableKubernetesMockClient(crud = true, https = false)
class SecretAuthorityInspectionTest {
  private static final String NAMESPACE = "ambit-system";

  @SuppressWarnings("NullAway.Init") // Set by the extension.
  private KubernetesClient client;

  private Optional<Secret> secret(String name) {
    return Optional.ofNullable(client.secrets().inNamespace(NAMESPACE).withName(name).get());
  }

  @Test
  void makesARootOnceAndNeverAnotherInItsPlace() {
    var inspection = new SecretAuthorityInspection(client, NAMESPACE, InstantSource.system());
    var made =
        (AuthorityVerdict.Usable) inspection.inspect(AmbientMeshSpec.DEFAULTS, null, this::secret);
    assertThat(secret(SelfSignedRoot.SECRET)).isPresent();
    // Not yet in the cache.
    assertThat(
            inspection.inspect(AmbientMeshSpec.DEFAULTS, made.status(), name -> Optional.empty()))
        .isEqualTo(made);

    client.secrets().inNamespace(NAMESPACE).withName(SelfSignedRoot.SECRET).delete();
    assertThat(inspection.inspect(AmbientMeshSpec.DEFAULTS, made.status(), this::secret))
        .isInstanceOfSatisfying(
            AuthorityVerdict.Unusable.class,
            lost -> {
              assertThat(lost.reason()).isEqualTo("CertificateAuthorityMissing");
              assertThat(lost.message()).contains(made.status().fingerprint());
            });
    assertThat(secret(SelfSignedRoot.SECRET)).isEmpty();
  }
}
