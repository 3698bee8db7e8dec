package dev.ambit.operator;

import dev.ambit.operator.enrollment.EnrollmentMetrics;
import dev.ambit.operator.enrollment.MeshEnrollmentReconciler;
import dev.ambit.operator.enrollment.NamespaceReconciler;
import dev.ambit.operator.enrollment.PlanReader;
import dev.ambit.operator.enrollment.SecurityPolicies;
import dev.ambit.operator.enrollment.ZtunnelLedgers;
import dev.ambit.operator.enrollment.ZtunnelMetrics;
import dev.ambit.operator.enrollment.ZtunnelReports;
import dev.ambit.operator.mesh.AmbientMeshReconciler;
import dev.ambit.operator.mesh.RootCertificateReconciler;
import dev.ambit.operator.mesh.RootCertificates;
import dev.ambit.operator.mesh.SecretAuthorityInspection;
import dev.ambit.operator.preflight.PreflightReader;
import dev.ambit.operator.proof.Proofs;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.config.ControllerConfigurationOverrider;
import io.javaoperatorsdk.operator.api.monitoring.Metrics;
import io.javaoperatorsdk.operator.api.reconciler.Reconciler;
import io.javaoperatorsdk.operator.monitoring.micrometer.MicrometerMetrics;
import io.javaoperatorsdk.operator.processing.retry.GenericRetry;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.function.Supplier;
import javax.net.ssl.SSLContext;

/** One replica's time as the leader: all reconcilers, from their start to their end. */
public final class LeaderTerm implements AutoCloseable {
  private static final Duration CACHE_SYNC = Duration.ofMinutes(2);
  private static final Duration LAST_RECONCILIATIONS = Duration.ofSeconds(5);

  private final Equipment equipment;
  private final EventRecorder events;
  private final Metrics metrics;
  private final RootCertificateReconciler rootCertificates;
  private final OptionalKinds optionalKinds;
  private final List<AutoCloseable> writing = new CopyOnWriteArrayList<>();
  private final List<io.javaoperatorsdk.operator.Operator> running = new CopyOnWriteArrayList<>();

  private LeaderTerm(Equipment equipment) {
    this.equipment = equipment;
    this.events =
        new EventRecorder(equipment.client(), equipment.settings().podName(), equipment.clock());
    this.metrics = MicrometerMetrics.withoutPerResourceMetrics(equipment.metrics());
    this.optionalKinds = new OptionalKinds(equipment.client());
    this.rootCertificates =
        new RootCertificateReconciler(
            equipment.settings().rootNamespace(), equipment.certificates());
  }

  /**
   * What every term is given.
   *
   * @param peerTls TLS as the operator itself, to call pods with; empty while there is none
   * @param policies what policies there are, and what waypoints make of them
   * @param optional reconcilers of kinds that a cluster need not have
   * @param writers what else writes while the term lasts
   */
  public record Equipment(
      KubernetesClient client,
      OperatorSettings settings,
      RootCertificates certificates,
      MeterRegistry metrics,
      EnrollmentMetrics enrollments,
      InstantSource clock,
      Supplier<Optional<SSLContext>> peerTls,
      SecurityPolicies policies,
      List<Optionally<?>> optional,
      List<Function<EventRecorder, AutoCloseable>> writers) {}

  /**
   * A reconciler that needs a kind that a cluster need not have.
   *
   * @param kind as a rule the one that is reconciled
   */
  public record Optionally<P extends HasMetadata>(
      Class<? extends HasMetadata> kind, Function<EventRecorder, Reconciler<P>> reconciler) {}

  /** Begins: fills the caches and then reconciles. */
  public static LeaderTerm begin(Equipment equipment) throws Exception {
    LeaderTerm term = new LeaderTerm(equipment);
    try {
      term.reconcile();
      equipment.optional().forEach(term::whenPresent);
      equipment.writers().forEach(writer -> term.writing.add(writer.apply(term.events)));
      return term;
    } catch (RuntimeException e) {
      term.close();
      throw e;
    }
  }

  private void reconcile() {
    String namespace = equipment.settings().rootNamespace();
    InstantSource clock = equipment.clock();
    io.javaoperatorsdk.operator.Operator reconcilers = reconcilers();
    register(
        reconcilers,
        new AmbientMeshReconciler(
            namespace,
            new SecretAuthorityInspection(equipment.client(), namespace, clock),
            events,
            clock));
    register(reconcilers, rootCertificates);
    register(reconcilers, new NamespaceReconciler(equipment.enrollments()));
    ZtunnelMetrics traffic = new ZtunnelMetrics(equipment.client(), namespace);
    writing.add(traffic);
    ZtunnelLedgers plaintext = new ZtunnelLedgers(equipment.client(), namespace, clock);
    writing.add(plaintext);
    Proofs proofs = new Proofs(equipment.peerTls(), equipment.metrics());
    writing.add(proofs);
    register(
        reconcilers,
        new MeshEnrollmentReconciler(
            namespace,
            events,
            equipment.enrollments(),
            new PreflightReader(equipment.client(), namespace),
            new PlanReader(equipment.client(), namespace),
            new ZtunnelReports(traffic, plaintext),
            proofs,
            equipment.policies(),
            clock));
    start(reconcilers);
  }

  private io.javaoperatorsdk.operator.Operator reconcilers() {
    return new io.javaoperatorsdk.operator.Operator(
        overrider ->
            overrider
                .withKubernetesClient(equipment.client())
                .withCloseClientOnStop(false)
                .withMetrics(metrics)
                .withCacheSyncTimeout(CACHE_SYNC)
                .withReconciliationTerminationTimeout(LAST_RECONCILIATIONS));
  }

  private void start(io.javaoperatorsdk.operator.Operator reconcilers) {
    running.add(reconcilers);
    try {
      reconcilers.start();
    } catch (RuntimeException e) {
      // Its threads and watches would go on, and those of each further attempt on top of them.
      running.remove(reconcilers);
      reconcilers.stop();
      throw e;
    }
  }

  /** Nothing can be registered with an operator that has started, so each of these is another. */
  private <P extends HasMetadata> void whenPresent(Optionally<P> optionally) {
    optionalKinds.whenPresent(
        HasMetadata.getFullResourceName(optionally.kind()),
        HasMetadata.getVersion(optionally.kind()),
        () -> {
          io.javaoperatorsdk.operator.Operator reconcilers = reconcilers();
          reconcilers.register(optionally.reconciler().apply(events), LeaderTerm::retryForever);
          start(reconcilers);
        });
  }

  private static <P extends HasMetadata> void register(
      io.javaoperatorsdk.operator.Operator reconcilers, Reconciler<P> reconciler) {
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
      for (AutoCloseable writer : writing) {
        writer.close();
      }
      running.forEach(io.javaoperatorsdk.operator.Operator::stop);
    } finally {
      rootCertificates.close();
      equipment.enrollments().clear();
      forgetGauges();
    }
  }

  /** The next term's would be refused for these, which show what is over. */
  private void forgetGauges() {
    equipment.metrics().getMeters().stream()
        .filter(meter -> meter instanceof Gauge)
        .filter(meter -> meter.getId().getName().startsWith("operator.sdk."))
        .forEach(meter -> equipment.metrics().remove(meter));
  }
}
