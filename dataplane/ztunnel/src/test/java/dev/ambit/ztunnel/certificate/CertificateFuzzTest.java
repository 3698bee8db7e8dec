package dev.ambit.ztunnel.certificate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ambit.ztunnel.identity.Identity;
import dev.ambit.ztunnel.testing.TestAuthority;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.CRLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.StringLength;

/** Whatever an authority answers, or a file of revocation lists holds, is read or refused. */
class CertificateFuzzTest {
  private static final Identity IDENTITY = new Identity("cluster.local", "shop", "cart");
  private static final RevocationFixture FIXTURE = new RevocationFixture();
  private static final SigningRequest REQUEST = request();
  private static final List<String> ANSWER = answer();

  private static SigningRequest request() {
    try {
      return SigningRequest.create(IDENTITY);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static List<String> answer() {
    try {
      return new TestAuthority().issue(IDENTITY, REQUEST.pem()).toCompletableFuture().join();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] damaged(byte[] bytes, Random random) {
    byte[] copy = bytes.clone();
    for (int i = 1 + random.nextInt(4); i > 0; i--) {
      copy[random.nextInt(copy.length)] = (byte) random.nextInt();
    }
    return random.nextInt(4) == 0
        ? java.util.Arrays.copyOf(copy, random.nextInt(copy.length))
        : copy;
  }

  @Property(tries = 1000)
  void revocationListsWithBytesChanged(@ForAll long seed) throws Exception {
    Random random = new Random(seed);
    byte[] content =
        switch (random.nextInt(3)) {
          case 0 -> damaged(FIXTURE.list().getEncoded(), random);
          case 1 ->
              damaged(
                  RevocationFixture.pem(FIXTURE.list()).getBytes(StandardCharsets.US_ASCII),
                  random);
          default ->
              RevocationFixture.pem(damaged(FIXTURE.list().getEncoded(), random))
                  .getBytes(StandardCharsets.US_ASCII);
        };
    try {
      RevocationLists lists = new RevocationLists(RevocationListFile.parse(content));
      // Whatever was changed: nobody is revoked by a list that is not the issuer's.
      if (lists.revocation(FIXTURE.chain(), FIXTURE.roots()) != null) {
        RevocationListFile.parse(content)
            .getFirst()
            .verify(FIXTURE.roots().getFirst().getPublicKey());
      }
    } catch (CRLException refused) {
      // As good.
    }
  }

  @Property(tries = 500)
  void revocationListsOfRandomBytes(@ForAll byte[] content) {
    try {
      RevocationListFile.parse(content);
    } catch (CRLException refused) {
      // As good.
    }
  }

  @Property(tries = 600)
  void answersOfTheAuthorityWithBytesChanged(@ForAll long seed) {
    Random random = new Random(seed);
    List<String> changed = new ArrayList<>(ANSWER);
    int at = random.nextInt(changed.size());
    String element = changed.get(at);
    switch (random.nextInt(4)) {
      case 0 -> changed.remove(at);
      case 1 -> changed.set(at, changed.get(random.nextInt(changed.size())));
      case 2 ->
          changed.set(
              at,
              new String(
                  damaged(element.getBytes(StandardCharsets.US_ASCII), random),
                  StandardCharsets.ISO_8859_1));
      default -> {
        String body = element.replaceAll("-----[^-]+-----|\\s", "");
        byte[] der = damaged(Base64.getDecoder().decode(body), random);
        changed.set(
            at,
            "-----BEGIN CERTIFICATE-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
                + "\n-----END CERTIFICATE-----\n");
      }
    }
    try {
      IssuedChain issued = IssuedChain.of(changed, REQUEST, Instant.now());
      assertThat(issued.leaf().getPublicKey()).isEqualTo(REQUEST.keys().getPublic());
    } catch (GeneralSecurityException refused) {
      // As good.
    }
  }

  @Property(tries = 2000)
  void identitiesOfAnyText(
      @ForAll @CharRange(from = 0, to = 0x2ff) @StringLength(max = 60) String text) {
    assertThat(Identity.tryParse(text)).isEmpty();
    Identity.tryParse("spiffe://" + text)
        .ifPresent(identity -> assertThat(identity.uri()).isEqualTo("spiffe://" + text));
    Identity.tryParse("spiffe://a/ns/" + text + "/sa/b")
        .ifPresent(
            identity -> assertThat(identity.namespace()).isEqualTo(text).doesNotContain("/"));
  }
}
