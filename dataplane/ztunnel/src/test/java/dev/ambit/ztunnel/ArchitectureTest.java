package dev.ambit.ztunnel;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** What the design says about who may know whom. */
@AnalyzeClasses(packages = "dev.ambit", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
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
  static final ArchRule STATE_AND_POLICY_ARE_PURE =
      noClasses()
          .that()
          .resideInAnyPackage("dev.ambit.ztunnel.state..", "dev.ambit.ztunnel.policy..")
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(
              "io.grpc..",
              "io.netty.channel..",
              "io.netty.handler..",
              "io.fabric8..",
              "java.net.http..",
              "java.nio.channels..",
              "java.nio.file..",
              "dev.ambit.linux..",
              "dev.ambit.ztunnel.proxy..",
              "dev.ambit.ztunnel.hbone..",
              "dev.ambit.ztunnel.xds..",
              "dev.ambit.ztunnel.zds..")
          .because("routes and verdicts follow from what is known; connections are at the edges");
}
