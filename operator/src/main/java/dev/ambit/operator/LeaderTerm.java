package dev.ambit.operator;

import dev.ambit.operator.enrollment.EnrollmentMetrics;
import dev.ambit.operator.enrollment.MeshEnrollmentReconciler;
import dev.ambit.operator.enrollment.NamespaceReconciler;
import dev.ambit.operator.mesh.AmbientMeshReconciler;
import dev.ambit.operator.mesh.RootCertificateReconciler;
import dev.ambit.operator.mesh.RootCertificates;
import dev.ambit.operator.mesh.SecretAuthorityInspection;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.config.ControllerConfigurationOverrider;
import io.javaoperatorsdk.operator.api.monitoring.Metrics;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.processing.retry.GenericRetry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Supplier;

/** One replica's time as the leader: all reconcilers, from their start to their end. */
public final class LeaderTerm implements AutoCloseable {
  private static final Duration CACHE_SYNC = Duration.ofMinutes(2);
  private static final Duration LAST_RECONCILIATIONS = Duration.ofSeconds(5);

  private final io.javaoperatorsdk.operator.Operator reconcilers;
  private final RootCertificateReconciler rootCertificates;
  private final EnrollmentMetrics enrollments;
  private final OptionalKinds optionalKinds;

  private LeaderTerm(
      io.javaoperatorsdk.operator.Operator reconcilers,
      RootCertificateReconciler rootCertificates,
      EnrollmentMetrics enrollments,
      OptionalKinds optionalKinds) {
    this.optionalKinds = optionalKinds;
    this.reconcilers = reconcilers;
    this.rootCertificates = rootCertificates;
    this.enrollments = enrollments;
  }

  /**
   * What every term is given.
   *
   * @param optional reconcilers of kinds that a cluster need not have
   */
  public record Equipment(
      KubernetesClient client,
      OperatorSettings settings,
      RootCertificates certificates,
      Metrics metrics,
      EnrollmentMetrics enrollments,
      InstantSource clock,
      List<Optionally<?>> optional) {}

  /** A reconciler of a kind that a cluster need not have. */
  public record Optionally<P extends HasMetadata>(
      Class<P> kind, Supplier<Reconciler<P>> reconciler) {}

  /** Begins: fills the caches and then reconciles. */
  public static LeaderTerm begin(Equipment equipment) throws Exception {
    String namespace = equipment.settings().rootNamespace();
    InstantSource clock = equipment.clock();
    EventRecorder events =
        new EventRecorder(equipment.client(), equipment.settings().podName(), clock);
    RootCertificateReconciler rootCertificates =
        new RootCertificateReconciler(namespace, equipment.certificates());
    LeaderTerm term =
        new LeaderTerm(
            new io.javaoperatorsdk.operator.Operator(
                overrider ->
                    overrider
                        .withKubernetesClient(equipment.client())
                        .withCloseClientOnStop(false)
                        .withMetrics(equipment.metrics())
                        .withCacheSyncTimeout(CACHE_SYNC)
                        .withReconciliationTerminationTimeout(LAST_RECONCILIATIONS)),
            rootCertificates,
            equipment.enrollments(),
            new OptionalKinds(equipment.client()));
    try {
      term.register(
          new AmbientMeshReconciler(
              namespace,
              new SecretAuthorityInspection(equipment.client(), namespace, clock),
              events,
              clock));
      term.register(rootCertificates);
      term.register(new NamespaceReconciler());
      term.register(
          new MeshEnrollmentReconciler(namespace, events, equipment.enrollments(), clock));
      term.reconcilers.start();
      equipment.optional().forEach(term::whenPresent);
      return term;
    } catch (RuntimeException e) {
      term.close();
      throw e;
    }
  }

  private <P extends HasMetadata> void whenPresent(Optionally<P> optionally) {
    optionalKinds.whenPresent(
        HasMetadata.getFullResourceName(optionally.kind()),
        () -> reconcilers.register(optionally.reconciler().get(), LeaderTerm::retryForever));
  }

  private <P extends HasMetadata> void register(Reconciler<P> reconciler) {
    reconcilers.register(
        reconciler,
        (ControllerConfigurationOverrider<P> overrider) ->
            retryForever(overrider.withFieldManager(FieldManager.NAME)));
  }

  /** The API server may be away for long, and then it is back. */
  private static <P extends HasMetadata> void retryForever(
      ControllerConfigurationOverrider<P> overrider) {
    overrider.withRetry(
        new GenericRetry()
            .setInitialInterval(500)
            .setIntervalMultiplier(1.5)
            .setMaxInterval(30_000)
            .withoutMaxAttempts());
  }

  @Override
  public void close() throws Exception {
    optionalKinds.close();
    try {
      reconcilers.stop();
    } finally {
      rootCertificates.close();
      enrollments.clear();
    }
  }
}
