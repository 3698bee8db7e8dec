package dev.ambit.operator.model;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/** Translation is a function of objects: it knows no client, no server, no clock and no thread. */
class ModelPurityTest {
  @Test
  void theModelKnowsNoEdges() {
    noClasses()
        .that()
        .resideInAPackage("dev.ambit.operator.model..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.fabric8.kubernetes.client..",
            "io.grpc..",
            "io.netty..",
            "io.micrometer..",
            "org.slf4j..",
            "java.util.concurrent..",
            "dev.ambit.operator.ca..",
            "dev.ambit.operator.xds..",
            "dev.ambit.operator.controlplane..")
        .check(
            new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("dev.ambit.operator.model"));
  }
}
