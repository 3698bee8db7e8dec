package dev.ambit.operator;

import dev.ambit.api.ClusterMeshEnrollment;
import dev.ambit.operator.controlplane.AuthorizationPolicyStatusReconciler;
import dev.ambit.operator.controlplane.ControlPlane;
import dev.ambit.operator.controlplane.ControlPlaneSettings;
import dev.ambit.operator.controlplane.RejectionEvents;
import dev.ambit.operator.controlplane.ServiceEntryAddressReconciler;
import dev.ambit.operator.enrollment.EnrollmentMetrics;
import dev.ambit.operator.fleet.ClusterMeshEnrollmentReconciler;
import dev.ambit.operator.health.HealthServer;
import dev.ambit.operator.health.Readiness;
import dev.ambit.operator.mesh.RootCertificates;
import dev.ambit.operator.waypoint.life.GatewayClassReconciler;
import dev.ambit.operator.waypoint.life.GatewayReconciler;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The operator's program. Every replica serves certificates and configuration to the nodes from its
 * own caches; the one that leads also writes to the API server.
 */
public final class Operator implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Operator.class);

  private final KubernetesClient client;
  private final JvmGcMetrics garbageCollection = new JvmGcMetrics();
  private final ControlPlane controlPlane;
  private final HealthServer health;
  private final Leadership leadership;
  private final RejectionEvents rejections;

  private Operator(OperatorSettings settings, KubernetesClient client) throws IOException {
    this.client = client;
    PrometheusMeterRegistry metrics = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    new JvmMemoryMetrics().bindTo(metrics);
    new JvmThreadMetrics().bindTo(metrics);
    new ProcessorMetrics().bindTo(metrics);
    garbageCollection.bindTo(metrics);
    ControlPlaneSettings served = ControlPlaneSettings.of(settings.rootNamespace());
    controlPlane = new ControlPlane(client, served, metrics);
    health =
        new HealthServer(
            new InetSocketAddress(OperatorSettings.HTTP_PORT), this::readiness, metrics);
    InstantSource clock = InstantSource.system();
    LeaderTerm.Equipment equipment =
        new LeaderTerm.Equipment(
            client,
            settings,
            rootCertificates(),
            metrics,
            new EnrollmentMetrics(metrics),
            clock,
            controlPlane::peerTls,
            controlPlane::policies,
            List.of(
                new LeaderTerm.Optionally<>(
                    AuthorizationPolicy.class,
                    _ -> new AuthorizationPolicyStatusReconciler(settings.rootNamespace(), clock)),
                // A cluster whose CRDs are of an earlier release goes on without.
                new LeaderTerm.Optionally<>(
                    ClusterMeshEnrollment.class,
                    events ->
                        new ClusterMeshEnrollmentReconciler(
                            settings.rootNamespace(), events, clock)),
                new LeaderTerm.Optionally<>(ServiceEntry.class, ServiceEntryAddressReconciler::new),
                new LeaderTerm.Optionally<>(
                    GatewayClass.class, events -> new GatewayClassReconciler(events, clock)),
                new LeaderTerm.Optionally<>(
                    Gateway.class,
                    events ->
                        new GatewayReconciler(
                            settings.rootNamespace(),
                            served.clusterDomain(),
                            controlPlane.waypointNews(),
                            events,
                            clock))),
            List.of(controlPlane::writeConditions, controlPlane::writeRouteStatuses));
    rejections =
        new RejectionEvents(
            client, new EventRecorder(client, settings.podName(), clock), controlPlane);
    leadership = new Leadership(client, settings, metrics, () -> LeaderTerm.begin(equipment));
  }

  /** Runs until the process is told to end. */
  public static void main(String[] arguments) throws IOException {
    OperatorSettings settings;
    try {
      settings = OperatorSettings.of(System.getenv());
    } catch (IllegalArgumentException e) {
      LOG.atError().log(e.getMessage());
      System.exit(2);
      return;
    }
    Operator operator = new Operator(settings, new KubernetesClientBuilder().build());
    Runtime.getRuntime()
        .addShutdownHook(Thread.ofPlatform().name("shutdown").unstarted(operator::close));
    operator.start();
    LOG.atInfo()
        .addKeyValue("pod", settings.podName())
        .addKeyValue("namespace", settings.rootNamespace())
        .log("the operator runs");
  }

  private void start() {
    controlPlane.start();
    leadership.start();
  }

  /** A replica serves whether it leads or not, and whether the API server is there or not. */
  private Readiness readiness() {
    return controlPlane.ready()
        ? new Readiness.Ready()
        : new Readiness.NotReady(
            controlPlane
                .authorityProblem()
                .orElse("waiting for the API server, an AmbientMesh and the CA's Secret"));
  }

  private RootCertificates rootCertificates() {
    return new RootCertificates() {
      @Override
      public Optional<String> bundle() {
        return controlPlane.authority().rootBundle();
      }

      @Override
      public AutoCloseable onChange(Runnable listener) {
        return controlPlane.authority().onChange(listener);
      }
    };
  }

  private void closeRejections() {
    try {
      rejections.close();
    } catch (Exception e) {
      LOG.atWarn().setCause(e).log("rejections of waypoints are still listened for");
    }
  }

  @Override
  public void close() {
    leadership.close();
    closeRejections();
    controlPlane.close();
    health.close();
    garbageCollection.close();
    client.close();
  }
}
