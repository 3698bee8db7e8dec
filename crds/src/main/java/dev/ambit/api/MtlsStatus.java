package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** How far a namespace is on its way to strict mTLS. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record MtlsStatus(
    @JsonPropertyDescription(
            "Since when plaintext is refused by spec.mtls. Absent while it is accepted.")
        @Nullable String strictSince,
    @JsonPropertyDescription(
            "Since when it is known that no plaintext has arrived at any of the pods. Absent before"
                + " all of them are in the mesh.")
        @Nullable String quietSince,
    @JsonPropertyDescription(
            "When senders, connections and plaintext were told; at most a minute behind what"
                + " ztunnels know, while plaintext is watched.")
        @Nullable String asOf,
    @JsonPropertyDescription("How many senders of plaintext ztunnels know of.") int senders,
    @JsonPropertyDescription(
            "Plain connections and flows that the pods' ztunnels have let in since they run.")
        long connections,
    @JsonPropertyDescription("The ten of them that were heard of last.")
        List<PlaintextSender> plaintext,
    @JsonPropertyDescription(
            "Runs of ztunnels that quietSince rests on. Where one of them ends while pods of the"
                + " namespace are with it, what it saw last is unknown, and quietSince begins"
                + " anew.")
        List<String> witnesses) {

  /** Nothing is known yet. */
  public static final MtlsStatus NOTHING_YET =
      new MtlsStatus(null, null, null, 0, 0, List.of(), List.of());

  public MtlsStatus {
    plaintext = plaintext == null ? List.of() : List.copyOf(plaintext);
    witnesses = witnesses == null ? List.of() : List.copyOf(witnesses);
  }
}
