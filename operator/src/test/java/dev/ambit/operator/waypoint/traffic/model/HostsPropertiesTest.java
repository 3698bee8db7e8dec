package dev.ambit.operator.waypoint.traffic.model;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

class HostsPropertiesTest {
  @Provide
  Arbitrary<String> names() {
    return Arbitraries.of("a", "b", "ab")
        .list()
        .ofMinSize(1)
        .ofMaxSize(3)
        .map(labels -> String.join(".", labels));
  }

  @Provide
  Arbitrary<String> patterns() {
    return Arbitraries.oneOf(names(), names().map(name -> "*." + name), Arbitraries.just("*"));
  }

  @Property
  void aPatternCoversAnotherWhereItCoversAllThatThatCovers(
      @ForAll("patterns") String wide,
      @ForAll("patterns") String narrow,
      @ForAll("names") String name) {
    if (Hosts.covers(wide, narrow) && Hosts.covers(narrow, name)) {
      assertThat(Hosts.covers(wide, name)).isTrue();
    }
  }

  @Property
  void everyPatternCoversItself(@ForAll("patterns") String pattern) {
    assertThat(Hosts.covers(pattern, pattern)).isTrue();
  }

  @Property
  void ofTwoThatCoverANameTheOneThatTheOtherCoversIsMoreSpecific(
      @ForAll("patterns") String one,
      @ForAll("patterns") String other,
      @ForAll("names") String name) {
    if (Hosts.covers(one, name) && Hosts.covers(other, name) && !one.equals(other)) {
      assertThat(Hosts.specificity(one, other) > 0).isEqualTo(Hosts.covers(one, other));
    }
  }
}
