package dev.ambit.operator.model;

import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.istio.api.networking.v1.WorkloadEntry;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.PeerAuthentication;
import io.fabric8.kubernetes.api.model.Namespace;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.Node;
import io.fabric8.kubernetes.api.model.NodeBuilder;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceBuilder;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.Gateway;
import io.fabric8.kubernetes.api.model.gatewayapi.v1.GatewayClass;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Map;

/** Kubernetes objects for tests, as short as they can be written. */
final class Objects {
  private Objects() {}

  static Pod pod(String namespace, String name, String ip, Map<String, String> labels) {
    return new PodBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(name)
        .withUid("uid-" + name)
        .withLabels(labels)
        .endMetadata()
        .withNewSpec()
        .withServiceAccountName("account-of-" + name)
        .withNodeName("node-1")
        .addNewContainer()
        .withName("main")
        .addNewPort()
        .withName("web")
        .withContainerPort(8080)
        .endPort()
        .endContainer()
        .endSpec()
        .withNewStatus()
        .withPhase("Running")
        .withPodIP(ip)
        .addNewPodIP()
        .withIp(ip)
        .endPodIP()
        .addNewCondition()
        .withType("Ready")
        .withStatus("True")
        .endCondition()
        .endStatus()
        .build();
  }

  static Service service(
      String namespace, String name, String clusterIp, Map<String, String> selector) {
    return new ServiceBuilder()
        .withNewMetadata()
        .withNamespace(namespace)
        .withName(name)
        .endMetadata()
        .withNewSpec()
        .withClusterIP(clusterIp)
        .withClusterIPs(clusterIp)
        .withIpFamilies("IPv4")
        .withSelector(selector)
        .addNewPort()
        .withName("http")
        .withPort(80)
        .withNewTargetPort("web")
        .endPort()
        .endSpec()
        .build();
  }

  static Node node(String name, String region, String zone) {
    return new NodeBuilder()
        .withNewMetadata()
        .withName(name)
        .addToLabels("topology.kubernetes.io/region", region)
        .addToLabels("topology.kubernetes.io/zone", zone)
        .endMetadata()
        .build();
  }

  static Namespace namespace(String name, Map<String, String> annotations) {
    return new NamespaceBuilder()
        .withNewMetadata()
        .withName(name)
        .withAnnotations(annotations)
        .endMetadata()
        .build();
  }

  static EndpointSlice slice(String yaml) {
    return Serialization.unmarshal(yaml, EndpointSlice.class);
  }

  static AuthorizationPolicy policy(String yaml) {
    return Serialization.unmarshal(yaml, AuthorizationPolicy.class);
  }

  static PeerAuthentication peerAuthentication(String yaml) {
    return Serialization.unmarshal(yaml, PeerAuthentication.class);
  }

  static ServiceEntry serviceEntry(String yaml) {
    return Serialization.unmarshal(yaml, ServiceEntry.class);
  }

  static WorkloadEntry workloadEntry(String yaml) {
    return Serialization.unmarshal(yaml, WorkloadEntry.class);
  }

  static Gateway gateway(String yaml) {
    return Serialization.unmarshal(yaml, Gateway.class);
  }

  static GatewayClass gatewayClass(String yaml) {
    return Serialization.unmarshal(yaml, GatewayClass.class);
  }
}
