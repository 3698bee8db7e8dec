package dev.ambit.capture;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class PodNumberTest {
  private static List<Integer> numbers(int pods) {
    return IntStream.range(0, pods).mapToObj(i -> PodNumber.of("shop", "pod-" + i)).toList();
  }

  private static long taken(List<Integer> numbers, int cut) {
    return numbers.stream().filter(number -> number < cut).count();
  }

  /** Agents and operators of different versions must agree. */
  @Test
  void numbersNeverChange() {
    assertThat(PodNumber.of("shop", "cart-0")).isEqualTo(488376);
    assertThat(PodNumber.of("shop", "cart-1")).isEqualTo(60662);
    assertThat(PodNumber.of("bank", "cart-0")).isEqualTo(691637);
  }

  @Property
  void aShareTakesThatManyPodsRoundedUp(
      @ForAll @IntRange(min = 0, max = 300) int pods,
      @ForAll @IntRange(min = 0, max = 100) int percent) {
    var numbers = numbers(pods);
    assertThat(taken(numbers, PodNumber.cut(percent, numbers)))
        .isEqualTo(Math.ceilDiv(pods * percent, 100));
  }

  @Property
  void aLargerShareTakesAllThatASmallerOneTook(
      @ForAll @Size(max = 40) List<@IntRange(min = 0, max = 999_999) Integer> numbers,
      @ForAll @IntRange(min = 0, max = 100) int one,
      @ForAll @IntRange(min = 0, max = 100) int other) {
    assertThat(PodNumber.cut(Math.min(one, other), numbers))
        .isLessThanOrEqualTo(
            numbers.isEmpty() || Math.max(one, other) > 0
                ? PodNumber.cut(Math.max(one, other), numbers)
                : 0);
  }

  @Test
  void withoutPodsTheShareIsThatOfThePodsToCome() {
    assertThat(PodNumber.cut(10, List.of())).isEqualTo(100_000);
    assertThat(PodNumber.cut(100, List.of())).isEqualTo(PodNumber.ALL);
    long taken = taken(numbers(10_000), 100_000);
    assertThat(taken).isBetween(800L, 1_200L);
  }

  @Test
  void allTakesEveryPod() {
    assertThat(taken(numbers(1_000), PodNumber.ALL)).isEqualTo(1_000);
  }
}
