package dev.ambit.cli;

import dev.ambit.cli.model.EnrollmentChange;
import picocli.CommandLine.Command;

@Command(
    name = "leave",
    description =
        "Takes a namespace out of the mesh, by its MeshEnrollment; open connections go on.",
    footer =
        "%nWith --wait it ends with 1 where the enrollment is stalled, and with 4 after --timeout.")
final class LeaveCommand extends StageChangeCommand {
  LeaveCommand(Environment environment) {
    super(environment);
  }

  @Override
  String stage() {
    return EnrollmentChange.NONE;
  }
}
