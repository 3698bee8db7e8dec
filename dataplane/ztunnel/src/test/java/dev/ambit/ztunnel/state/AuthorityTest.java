package dev.ambit.ztunnel.state;

import static dev.ambit.ztunnel.testing.MeshFixtures.ip;
import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.StringLength;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AuthorityTest {
  @Test
  void readsTheThreeForms() {
    assertThat(Authority.parse("10.0.0.1:80")).isEqualTo(new Authority(ip("10.0.0.1"), "", 80));
    assertThat(Authority.parse("[fd00::1]:65535"))
        .isEqualTo(new Authority(ip("fd00::1"), "", 65535));
    assertThat(Authority.parse("[::ffff:10.0.0.1]:80"))
        .isEqualTo(new Authority(ip("10.0.0.1"), "", 80));
    assertThat(Authority.parse("Web.shop.svc.cluster.local:8080"))
        .isEqualTo(new Authority(null, "web.shop.svc.cluster.local", 8080));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        ":80",
        "10.0.0.1",
        "10.0.0.1:",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:-1",
        "10.0.0.1:+80",
        "10.0.0.1:080000",
        "fd00::1:80",
        "[10.0.0.1]:80",
        "[fd00::1%eth0]:80",
        "[fd00::1]80",
        "[]:80",
        "a b:80",
        "a/b:80",
        "user@host:80",
        "10.0.0.999 :80"
      })
  void refusesOthers(String text) {
    assertThat(Authority.parse(text)).isNull();
  }

  @Property
  void survivesAnything(@ForAll @CharRange(from = 0, to = 0x2ff) @StringLength(max = 80) String t) {
    Authority authority = Authority.parse(t);
    if (authority != null) {
      assertThat(authority.port()).isBetween(1, 65535);
    }
  }

  @Property
  void readsEveryIpv4(
      @ForAll @IntRange(min = 0, max = 255) int a,
      @ForAll @IntRange(min = 0, max = 255) int b,
      @ForAll @IntRange(min = 1, max = 65535) int port) {
    String host = a + "." + b + "." + b + "." + a;
    assertThat(Authority.parse(host + ":" + port)).isEqualTo(new Authority(ip(host), "", port));
  }
}
