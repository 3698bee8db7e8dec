package dev.ambit.ztunnel.bench;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * How much is measured.
 *
 * @param rounds how often everything is measured
 * @param seconds how long one step takes for one proxy
 * @param warmUpSeconds how long a proxy is loaded before the warm steps
 * @param steps what is measured
 * @param folder where the results go
 */
record BenchSettings(int rounds, int seconds, int warmUpSeconds, Set<Step> steps, Path folder) {
  static BenchSettings of(Map<String, String> environment, Path folder) {
    return new BenchSettings(
        number(environment, "ROUNDS", 3),
        number(environment, "SECONDS_PER_STEP", 5),
        number(environment, "WARM_UP_SECONDS", 16),
        steps(environment.getOrDefault("STEPS", "")),
        folder);
  }

  private static int number(Map<String, String> environment, String name, int whenUnset) {
    var value = environment.getOrDefault(name, "");
    try {
      int number = value.isBlank() ? whenUnset : Integer.parseInt(value.strip());
      if (number > 0) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new IllegalArgumentException(
        "%s is '%s': give a whole number above 0, or leave it unset for %d"
            .formatted(name, value, whenUnset));
  }

  private static Set<Step> steps(String list) {
    var chosen = EnumSet.noneOf(Step.class);
    for (String name : list.split("[\\s,]+")) {
      if (!name.isBlank()) {
        try {
          chosen.add(Step.valueOf(name.toUpperCase(Locale.ROOT)));
        } catch (IllegalArgumentException e) {
          throw new IllegalArgumentException(
              "STEPS names '%s', which is none of %s"
                  .formatted(name, Arrays.toString(Step.values())),
              e);
        }
      }
    }
    return chosen.isEmpty() ? EnumSet.allOf(Step.class) : chosen;
  }

  boolean has(Step step) {
    return steps.contains(step);
  }

  boolean hasWarmSteps() {
    return steps.stream().anyMatch(Step::isWarm);
  }
}
