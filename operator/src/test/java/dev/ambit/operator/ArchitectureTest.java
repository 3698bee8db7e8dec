package dev.ambit.operator;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** What the design says about who may know whom. */
@AnalyzeClasses(packages = "dev.ambit", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
  @ArchTest
  static final ArchRule MODELS_ARE_PURE =
      noClasses()
          .that()
          .resideInAnyPackage("dev.ambit.operator..model..", "dev.ambit.capture..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.fabric8.kubernetes.client..",
              "io.javaoperatorsdk..",
              "io.grpc..",
              "io.netty..",
              "java.net.http..",
              "java.io..",
              "java.nio.file..")
          .because("decisions are functions; clients, servers and files are at the edges");

  @ArchTest
  static final ArchRule NATIVE_CALLS_ARE_IN_ONE_PACKAGE =
      noClasses()
          .that()
          .resideOutsideOfPackage("dev.ambit.linux..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("java.lang.foreign..")
          .because("all system calls are in dev.ambit.linux");

  @ArchTest
  static final ArchRule ONLY_THE_EDGES_RECONCILE =
      noClasses()
          .that()
          .resideInAnyPackage("dev.ambit.operator.ca..", "dev.ambit.operator.xds..")
          .should()
          .dependOnClassesThat()
          .resideInAPackage("io.javaoperatorsdk..")
          .because("every replica serves, whether it reconciles or not");
}
