package dev.ambit.operator.fleet.model;

import dev.ambit.api.MeshEnrollmentSpec;

/** What a fleet does to the MeshEnrollment of one of its namespaces. */
public sealed interface FleetAction {
  String namespace();

  /** It is to exist with that spec. */
  record Apply(String namespace, MeshEnrollmentSpec spec) implements FleetAction {}

  /** It is to go. */
  record Delete(String namespace) implements FleetAction {}
}
