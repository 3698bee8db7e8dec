package dev.ambit.operator.fleet.model;

import dev.ambit.api.MeshEnrollmentSpec;
import dev.ambit.api.Wave;
import dev.ambit.capture.PodNumber;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/** Which wave takes which namespace. */
final class Waves {
  /** The wave of a namespace that none takes. */
  static final int NONE = -1;

  private static final int FINGERPRINT_BYTES = 6;

  private Waves() {}

  /**
   * The place of each namespace's wave, from 0, or {@link #NONE}. A share fills up with namespaces
   * that no selector has taken before, in the order of a number that their name alone makes.
   */
  static Map<String, Integer> of(List<Wave> waves, List<FleetNamespace> namespaces) {
    Map<String, Integer> places = new HashMap<>();
    List<FleetNamespace> byNumber =
        namespaces.stream()
            .sorted(
                Comparator.comparingInt((FleetNamespace each) -> PodNumber.of("", each.name()))
                    .thenComparing(FleetNamespace::name))
            .toList();
    for (int place = 0; place < waves.size(); place++) {
      Wave wave = waves.get(place);
      int room =
          wave.share() == null
              ? Integer.MAX_VALUE
              : Math.ceilDiv(namespaces.size() * wave.percent(), 100) - places.size();
      for (FleetNamespace namespace : byNumber) {
        if (room <= 0) {
          break;
        }
        boolean takes = wave.namespaces() == null || wave.namespaces().selects(namespace.labels());
        if (takes && places.putIfAbsent(namespace.name(), place) == null) {
          room--;
        }
      }
    }
    namespaces.forEach(namespace -> places.putIfAbsent(namespace.name(), NONE));
    return places;
  }

  /** Tells one template from another. */
  static String fingerprint(MeshEnrollmentSpec template) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256")
              .digest(template.withPaused(false).toString().getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, FINGERPRINT_BYTES);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java runtime has SHA-256", e);
    }
  }
}
