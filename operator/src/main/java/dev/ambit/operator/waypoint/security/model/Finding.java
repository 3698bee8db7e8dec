package dev.ambit.operator.waypoint.security.model;

/**
 * One thing that waypoints do not do as it is written.
 *
 * @param path of the field, as in "spec.rules[0].to[1].operation.paths"
 * @param effect what happens instead
 */
public record Finding(String path, String effect) {
  @Override
  public String toString() {
    return path + ": " + effect;
  }
}
