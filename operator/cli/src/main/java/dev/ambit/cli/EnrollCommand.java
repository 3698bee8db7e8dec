package dev.ambit.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "enroll",
    description = "Takes a namespace into the mesh, by its MeshEnrollment named default.",
    footer =
        "%nWith --wait it ends with 1 where the enrollment is stalled, and with 4 after --timeout.")
final class EnrollCommand extends StageChangeCommand {
  @Option(
      names = "--stage",
      paramLabel = "STAGE",
      description = "How far; by default ${DEFAULT-VALUE}.",
      defaultValue = "L4")
  @SuppressWarnings("NullAway.Init") // set by the parser
  private String stage;

  EnrollCommand(Environment environment) {
    super(environment);
  }

  @Override
  String stage() {
    return known(stage);
  }
}
