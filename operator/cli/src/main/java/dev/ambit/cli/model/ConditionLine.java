package dev.ambit.cli.model;

/** A condition of an object. */
public record ConditionLine(
    String type, String status, String reason, String message, String since) {
  boolean holds() {
    return "True".equals(status);
  }
}
