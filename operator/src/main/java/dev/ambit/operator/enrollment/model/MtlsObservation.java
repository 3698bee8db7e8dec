package dev.ambit.operator.enrollment.model;

import dev.ambit.operator.model.MtlsPolicies;

/**
 * What bears on a namespace's strict mTLS.
 *
 * @param sightings what ztunnels have seen of plaintext, where that is wanted
 * @param policies what PeerAuthentications say
 * @param udp whether the mesh carries UDP, so that strict mTLS holds for it too
 */
public record MtlsObservation(PlaintextSightings sightings, MtlsPolicies policies, boolean udp) {
  /** Nothing to go by. */
  public static final MtlsObservation NONE =
      new MtlsObservation(PlaintextSightings.NOT_ASKED, MtlsPolicies.NONE, false);
}
