package dev.ambit.operator.model;

import java.util.List;
import java.util.stream.Collectors;

/**
 * How much of an AuthorizationPolicy ztunnels enforce.
 *
 * @param findings what they do not enforce as written; empty where all of it is
 */
public record PolicyReport(Verdict verdict, List<Finding> findings) {

  /** The short answer. */
  public enum Verdict {
    /** All of it is enforced. */
    ACCEPTED,
    /** It is enforced, and more strictly than written where findings say so. */
    STRICTER,
    /** None of it is enforced. */
    REJECTED
  }

  /**
   * One thing that is not enforced as written.
   *
   * @param path of the field, as in "spec.rules[0].to[1].operation.methods"
   * @param effect what happens instead
   */
  public record Finding(String path, String effect) {}

  private static final int MOST_LISTED = 20;

  /** For a person, in one paragraph. */
  public String message() {
    String listed =
        findings.stream()
            .limit(MOST_LISTED)
            .map(finding -> finding.path() + ": " + finding.effect())
            .collect(Collectors.joining("; "));
    String more =
        findings.size() > MOST_LISTED ? "; and " + (findings.size() - MOST_LISTED) + " more" : "";
    return switch (verdict) {
      case ACCEPTED -> "ztunnels enforce all of this policy";
      case STRICTER ->
          "ztunnels enforce this policy more strictly than it is written, as they see only layer 4: "
              + listed
              + more;
      case REJECTED -> "ztunnels do not enforce this policy: " + listed + more;
    };
  }
}
