package dev.ambit.operator.mesh.model;

import java.util.Optional;

/** What becomes of the revocation lists that stand beside the certificate authority. */
public sealed interface RevocationVerdict {
  /** The authority itself is not there; nothing can be told, and nothing changes. */
  record Unknown() implements RevocationVerdict {}

  /** There are none. */
  record Absent() implements RevocationVerdict {}

  /**
   * Ztunnels are to go by them.
   *
   * @param pem as distributed
   */
  record Usable(String pem, String message) implements RevocationVerdict {}

  /** They cannot be used; what was distributed before stays. */
  record Unusable(String message) implements RevocationVerdict {}

  /**
   * What the ConfigMap is to hold from now on; nothing where it is to stay as it is.
   *
   * @param actual what it holds: nothing where there is none or it is empty
   */
  default Optional<String> change(Optional<String> actual) {
    return switch (this) {
      case Unknown() -> Optional.empty();
      case Absent() -> actual.map(_ -> "");
      case Usable(String pem, String _) ->
          actual.filter(pem::equals).isPresent() ? Optional.empty() : Optional.of(pem);
      case Unusable _ -> Optional.empty();
    };
  }
}
