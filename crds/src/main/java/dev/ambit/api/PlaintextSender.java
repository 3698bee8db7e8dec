package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import org.jspecify.annotations.Nullable;

/** Somebody who sends plaintext to a namespace's captured pods, which Strict would refuse. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record PlaintextSender(
    @JsonPropertyDescription(
            "Who sends: a workload as kind namespace/name, or an address that is no pod's of the"
                + " cluster's network.")
        String from,
    @JsonPropertyDescription("The workload of this namespace that it sends to.") String to,
    @JsonPropertyDescription("The pods' port.") int port,
    @JsonPropertyDescription("tcp or udp.") String protocol,
    @JsonPropertyDescription("Connections, or flows of UDP, since the pods' ztunnels began to run.")
        long connections,
    @JsonPropertyDescription("Of these, connections that are open now.") long open,
    @JsonPropertyDescription("Bytes of these connections in both directions; not told of UDP.")
        @Nullable Long bytes,
    @JsonPropertyDescription("When it was last heard of.") String last) {}
