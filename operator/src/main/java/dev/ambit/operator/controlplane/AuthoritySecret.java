package dev.ambit.operator.controlplane;

import dev.ambit.api.WellKnown;
import dev.ambit.operator.ca.CertificateAuthority;
import dev.ambit.operator.ca.InvalidAuthorityException;
import dev.ambit.operator.ca.RevocationLists;
import dev.ambit.operator.ca.SigningMaterial;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.time.Instant;
import java.util.Base64;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the authority loaded with what its Secret says, as the Secret changes. One that cannot be
 * used is reported, and what was loaded before stays in use.
 */
final class AuthoritySecret implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(AuthoritySecret.class);

  private final KubernetesClient client;
  private final String namespace;
  private final CertificateAuthority authority;
  private final CompletableFuture<Void> loaded = new CompletableFuture<>();

  // Guarded by this.
  private String name = "";
  private @Nullable SharedIndexInformer<Secret> informer;
  private volatile Optional<String> revocationLists = Optional.empty();
  private volatile Runnable revocationListener = () -> {};
  private volatile Optional<String> problem =
      Optional.of("no AmbientMesh names a certificate authority yet");

  AuthoritySecret(KubernetesClient client, String namespace, CertificateAuthority authority) {
    this.client = client;
    this.namespace = namespace;
    this.authority = authority;
  }

  /** Done once there is something to sign with. */
  CompletableFuture<Void> loaded() {
    return loaded;
  }

  /** Why what the Secret says now is not in use. */
  Optional<String> problem() {
    return problem;
  }

  /** The Secret's revocation lists in PEM; the last that could be used. */
  Optional<String> revocationLists() {
    return revocationLists;
  }

  /** Calls back when the lists have become others. */
  void onRevocation(Runnable listener) {
    revocationListener = listener;
  }

  /** Watches that Secret from now on, and no other. */
  synchronized void follow(String secret) {
    if (secret.equals(name)) {
      return;
    }
    close();
    name = secret;
    problem = Optional.of("Secret " + namespace + "/" + secret + " does not exist yet");
    SharedIndexInformer<Secret> next =
        client.secrets().inNamespace(namespace).withName(secret).runnableInformer(0);
    next.exceptionHandler((_, _) -> true);
    next.addEventHandler(
        new ResourceEventHandler<Secret>() {
          @Override
          public void onAdd(Secret added) {
            load(secret, added);
          }

          @Override
          public void onUpdate(Secret before, Secret after) {
            load(secret, after);
          }

          @Override
          public void onDelete(Secret deleted, boolean finalStateUnknown) {
            gone(secret);
          }
        });
    informer = next;
    next.start();
  }

  private synchronized void load(String secret, Secret present) {
    if (!secret.equals(name)) {
      return;
    }
    try {
      SigningMaterial material =
          SigningMaterial.fromSecret(namespace + "/" + secret, present.getData(), Instant.now());
      Optional<String> listsBefore = revocationLists;
      // Before the authority, whose listeners read them.
      loadRevocationLists(secret, present, material);
      authority.load(material);
      if (!listsBefore.equals(revocationLists)) {
        revocationListener.run();
      }
      problem = Optional.empty();
      loaded.complete(null);
      authority
          .status()
          .ifPresent(
              status ->
                  LOG.atInfo()
                      .addKeyValue("secret", namespace + "/" + secret)
                      .addKeyValue("fingerprint", status.fingerprint())
                      .addKeyValue("notAfter", status.notAfter())
                      .log("loaded the certificate authority"));
    } catch (InvalidAuthorityException e) {
      problem = Optional.of(String.valueOf(e.getMessage()));
      LOG.atError()
          .addKeyValue("secret", namespace + "/" + secret)
          .addKeyValue("inUse", authority.loaded())
          .addKeyValue("problem", e.getMessage())
          .log("cannot use the certificate authority's Secret");
    }
  }

  /** What is wrong with lists is said on the AmbientMesh's status, by who publishes them. */
  private void loadRevocationLists(String secret, Secret present, SigningMaterial material) {
    String encoded =
        present.getData() == null ? null : present.getData().get(WellKnown.REVOCATION_KEY);
    if (encoded == null) {
      revocationLists = Optional.empty();
      return;
    }
    try {
      revocationLists =
          Optional.of(
              RevocationLists.read(
                      "Secret " + namespace + "/" + secret + ", key " + WellKnown.REVOCATION_KEY,
                      Base64.getMimeDecoder().decode(encoded),
                      material)
                  .pem());
    } catch (InvalidAuthorityException | IllegalArgumentException e) {
      LOG.atError()
          .addKeyValue("secret", namespace + "/" + secret)
          .addKeyValue("problem", e.getMessage())
          .log("cannot use the certificate authority's revocation lists; the last ones stay");
    }
  }

  private synchronized void gone(String secret) {
    if (secret.equals(name)) {
      problem = Optional.of("Secret " + namespace + "/" + secret + " was deleted");
      LOG.atError()
          .addKeyValue("secret", namespace + "/" + secret)
          .log("the certificate authority's Secret was deleted; what was loaded stays in use");
    }
  }

  @Override
  public synchronized void close() {
    SharedIndexInformer<Secret> present = informer;
    if (present != null) {
      present.close();
    }
    informer = null;
  }
}
