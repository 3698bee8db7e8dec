package dev.ambit.operator.fleet.model;

/** What a fleet may do with a namespace. */
public sealed interface Standing {
  /** The fleet decides. */
  record Free() implements Standing {}

  /** The selector does not select it any more. */
  record Deselected() implements Standing {}

  /** The AmbientMesh leaves it out. */
  record Excluded() implements Standing {}

  /** Another fleet, which selects it too and is older, decides. */
  record OtherFleet(String fleet) implements Standing {}

  /**
   * A MeshEnrollment that is not a fleet's decides.
   *
   * @param name its name
   * @param released whether the operator has released any of it, so that the namespace's place in
   *     the mesh rests on it
   */
  record Own(String name, boolean released) implements Standing {}
}
