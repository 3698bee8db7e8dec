package dev.ambit.operator.waypoint.security.model;

import dev.ambit.api.ExtensionProvider;
import dev.ambit.operator.model.TrustDomains;
import dev.ambit.operator.waypoint.model.MeshService;
import dev.ambit.operator.waypoint.model.MeshServices;
import dev.ambit.operator.waypoint.model.PortProtocol;
import dev.ambit.operator.waypoint.model.ServicePort;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReferenceBuilder;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Policies and services for tests. */
final class Policies {
  static final String KEY = "default/server.default.svc.cluster.local";
  static final TrustDomains TRUST = new TrustDomains("cluster.local", List.of("old.example"));

  private Policies() {}

  /** An AuthorizationPolicy with that spec, attached to the Service "server". */
  static AuthorizationPolicy policy(String name, String spec) {
    AuthorizationPolicy policy =
        Serialization.unmarshal(
            """
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: %s, namespace: default, generation: 1}
            spec:
            """
                    .formatted(name)
                + spec.indent(2),
            AuthorizationPolicy.class);
    policy
        .getSpec()
        .setTargetRefs(
            List.of(
                new PolicyTargetReferenceBuilder()
                    .withGroup("")
                    .withKind("Service")
                    .withName("server")
                    .build()));
    return policy;
  }

  static AuthorizationPolicy dryRun(AuthorizationPolicy policy) {
    policy.getMetadata().setAnnotations(Map.of("istio.io/dry-run", "true"));
    return policy;
  }

  /** A RequestAuthentication with those rules, attached to the Service "server". */
  static RequestAuthentication authentication(String name, String jwtRules) {
    return Serialization.unmarshal(
        """
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {name: %s, namespace: default, generation: 1}
        spec:
          targetRefs: [{kind: Service, group: "", name: server}]
          jwtRules:
        """
                .formatted(name)
            + jwtRules.indent(2),
        RequestAuthentication.class);
  }

  static SecuritySettings settings(ExtensionProvider... providers) {
    return new SecuritySettings("istio-system", TRUST, List.of(providers));
  }

  static MeshService service(String namespace, String name, ServicePort... ports) {
    return new MeshService(
        MeshService.Kind.SERVICE,
        namespace,
        name,
        name + "." + namespace + ".svc.cluster.local",
        Map.of(),
        List.of(ports));
  }

  static ServicePort port(int number, PortProtocol protocol) {
    return new ServicePort(number, protocol.name(), protocol);
  }

  static MeshServices services(MeshService... all) {
    List<MeshService> services = List.of(all);
    return new MeshServices() {
      @Override
      public List<MeshService> allNamed(MeshService.Kind kind, String namespace, String name) {
        return services.stream()
            .filter(
                each ->
                    each.kind() == kind
                        && each.namespace().equals(namespace)
                        && each.name().equals(name))
            .toList();
      }

      @Override
      public Optional<MeshService> answeringTo(String hostname, String viewedFrom) {
        return services.stream().filter(each -> each.hostname().equals(hostname)).findFirst();
      }
    };
  }

  static ServiceSecurity security(AuthorizationPolicy... policies) {
    return ServiceSecurity.of(
        KEY, new AttachedPolicies(List.of(policies), List.of()), settings(), services(), "default");
  }

  static AttachedPolicies attached(AuthorizationPolicy... policies) {
    return new AttachedPolicies(new ArrayList<>(List.of(policies)), List.of());
  }
}
