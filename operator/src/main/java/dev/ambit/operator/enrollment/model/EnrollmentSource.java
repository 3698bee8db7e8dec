package dev.ambit.operator.enrollment.model;

import dev.ambit.api.Stage;

/** Who asks for a namespace's enrollment. */
public sealed interface EnrollmentSource {
  /** The namespace's labels; the object is the operator's mirror of them. */
  record Labels() implements EnrollmentSource {}

  /** A user's MeshEnrollment, which counts. */
  record User(Stage stage) implements EnrollmentSource {}

  /** A MeshEnrollment that does not count, since another one of its namespace does. */
  record Superseded(String by) implements EnrollmentSource {}
}
