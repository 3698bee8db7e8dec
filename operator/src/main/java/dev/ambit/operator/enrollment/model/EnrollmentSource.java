package dev.ambit.operator.enrollment.model;

import dev.ambit.api.MeshEnrollmentSpec;

/** Who asks for a namespace's enrollment. */
public sealed interface EnrollmentSource {
  /** The namespace's labels; the object is the operator's mirror of them. */
  record Labels() implements EnrollmentSource {}

  /** A user's MeshEnrollment, which counts. */
  record User(MeshEnrollmentSpec spec) implements EnrollmentSource {}

  /** A user's MeshEnrollment of which nothing has ever been released, and which only plans. */
  record Plan(MeshEnrollmentSpec spec) implements EnrollmentSource {}

  /**
   * A MeshEnrollment that does not count, since another one of its namespace does.
   *
   * @param taken whether what is released of that one holds already; until then what was released
   *     of this one does
   */
  record Superseded(String by, boolean taken) implements EnrollmentSource {}
}
