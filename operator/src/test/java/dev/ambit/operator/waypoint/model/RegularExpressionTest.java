package dev.ambit.operator.waypoint.model;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RegularExpressionTest {
  @ParameterizedTest
  @ValueSource(strings = {".*", "/v[0-9]+/(a|b)", "(?i)gold", "^\\d{3}$", "\\p{Greek}"})
  void takesWhatRe2Takes(String text) {
    assertThat(RegularExpression.of(text))
        .hasValueSatisfying(
            expression -> assertThat(expression.matcher().getRegex()).isEqualTo(text));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "*", "(", "[a", "(?=a)b", "(a)\\1", "a{1001}"})
  void refusesWhatRe2Refuses(String text) {
    assertThat(RegularExpression.of(text)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"((a{100}){100}){2}", "(a{40}b{26}){26,40}", "(?:[)]{2}){501}", "(\\({2}){501}"})
  void refusesMoreRepetitionsThanRe2Takes(String text) {
    assertThat(RegularExpression.of(text)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(a{10}){100}",
        "a{1000}b{1000}",
        "(a{100})b{100}",
        "[{2}]{900}",
        "\\Q(a{9})\\E{900}",
        "\\p{Lu}{900}",
        "(x{2}|[[:alpha:]]{3}){300}",
        "a{,5000}"
      })
  void takesAsManyRepetitionsAsRe2Takes(String text) {
    assertThat(RegularExpression.of(text)).isPresent();
  }

  @Test
  void refusesWhatIsCompiledToTooMuch() {
    assertThat(RegularExpression.of("(" + "a".repeat(20) + "){900}")).isEmpty();
  }

  @Test
  void refusesWhatIsTooLong() {
    assertThat(RegularExpression.of("a".repeat(RegularExpression.LONGEST + 1))).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"/\\1/\\0", "plain", "a\\\\b"})
  void substitutesGroupsThatThereAre(String substitution) {
    assertThat(RegularExpression.of("/(.*)").orElseThrow().replacedBy(substitution)).isPresent();
  }

  @ParameterizedTest
  @ValueSource(strings = {"\\2", "end\\", "\\n"})
  void refusesGroupsThatThereAreNot(String substitution) {
    assertThat(RegularExpression.of("/(.*)").orElseThrow().replacedBy(substitution)).isEmpty();
  }
}
