package dev.ambit.k3s;

import static org.awaitility.Awaitility.await;

import dev.ambit.api.AmbientMesh;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Certificates that live for a minute, of waypoints and ztunnels alike, under load. */
@ExtendWith(ClusterExtension.class)
class WaypointCertificatesIT {
  private static final String NAMESPACE = "waypoint-certificates";
  private static final String SERVER = "server.waypoint-certificates.svc.cluster.local";

  private static InstalledAmbit ambit;
  private static Sample sample;
  private static String lifetime;

  @BeforeAll
  static void shorten(TwoNodeCluster cluster) {
    ambit = InstalledAmbit.on(cluster);
    sample = new Sample(ambit.client());
    lifetime = ambit.mesh().getSpec().workloadCertificate().ttl();
    lifetime("1m");
  }

  @AfterAll
  static void restore() {
    lifetime(lifetime);
  }

  @Test
  void certificates_are_renewed_and_no_request_is_lost() {
    sample.namespace(NAMESPACE, Map.of());
    sample.version(NAMESPACE, "server", "v1", ambit.node(1));
    sample.client(NAMESPACE, "client", ambit.node(0));
    ambit.enroll(sample, NAMESPACE, 2);
    var waypoint = Waypoint.create(ambit, sample, NAMESPACE, "waypoint");
    sample.label(NAMESPACE, Waypoint.USE, "waypoint");
    waypoint.awaitPassed("client", SERVER, true);
    sample.loop(NAMESPACE, "looper", ambit.node(0), SERVER, 8080);
    sample.keep(NAMESPACE, "keeper", ambit.node(1), SERVER, 8080);
    sample.talk(NAMESPACE, "talker", ambit.node(0), SERVER, 9090);

    Map<String, Set<BigInteger>> serials = new HashMap<>();
    await("three certificates of each instance")
        .atMost(Waypoint.PATIENCE)
        .pollInterval(Duration.ofSeconds(3))
        .until(
            () -> {
              for (Pod pod : waypoint.pods()) {
                serials
                    .computeIfAbsent(pod.getMetadata().getName(), name -> new HashSet<>())
                    .add(certificate(pod).getSerialNumber());
              }
              return serials.values().stream().allMatch(seen -> seen.size() >= 3);
            });
    for (var pod : new String[] {"looper", "keeper", "talker"}) {
      sample.assertGoesOn(NAMESPACE, pod);
    }
    ambit.client().namespaces().withName(NAMESPACE).withGracePeriod(0).delete();
  }

  /** Sets how long certificates live, and waits until the nodes' proxies know. */
  private static void lifetime(String ttl) {
    var changed =
        ambit
            .client()
            .resources(AmbientMesh.class)
            .withName("default")
            .patch(
                PatchContext.of(PatchType.JSON_MERGE),
                "{\"spec\":{\"workloadCertificate\":{\"ttl\":\"%s\"}}}".formatted(ttl));
    await("the mesh ready with certificates of " + ttl)
        .atMost(Duration.ofMinutes(4))
        .pollInterval(Duration.ofSeconds(1))
        .ignoreExceptionsInstanceOf(KubernetesClientException.class)
        .until(
            () -> {
              var status = ambit.mesh().getStatus();
              return status != null
                  && Objects.equals(
                      status.observedGeneration(), changed.getMetadata().getGeneration())
                  && InstalledAmbit.isTrue(status.conditions(), "Ready");
            });
  }

  /** The certificate that a waypoint's instance shows to whoever connects. */
  private static X509Certificate certificate(Pod pod) throws GeneralSecurityException, IOException {
    var seen = new AtomicReference<X509Certificate>();
    var tls = SSLContext.getInstance("TLSv1.3");
    tls.init(null, new TrustManager[] {new Onlooker(seen)}, new SecureRandom());
    try (var forward = ambit.client().pods().resource(pod).portForward(15008);
        var socket =
            (SSLSocket) tls.getSocketFactory().createSocket("127.0.0.1", forward.getLocalPort())) {
      socket.setSoTimeout(5000);
      socket.startHandshake();
    } catch (IOException e) {
      // It wants a certificate too, after it has shown its own.
      if (seen.get() == null) {
        throw e;
      }
    }
    return Objects.requireNonNull(seen.get());
  }

  /** Takes note of the certificate that a server shows, whoever signed it. */
  private record Onlooker(AtomicReference<X509Certificate> seen) implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String algorithm) {
      throw new UnsupportedOperationException("This is a client");
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String algorithm) {
      seen.set(chain[0]);
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
