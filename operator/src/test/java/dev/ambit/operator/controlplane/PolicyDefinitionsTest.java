package dev.ambit.operator.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/**
 * The CRDs that the chart brings for clusters without Istio: an unknown field would be pruned, and
 * so not even reported.
 */
class PolicyDefinitionsTest {
  private static final Path CRDS = Path.of("../helm/ambit/crds");

  private static CustomResourceDefinition read(String file) throws IOException {
    try (InputStream yaml = Files.newInputStream(CRDS.resolve(file))) {
      return Serialization.unmarshal(yaml, CustomResourceDefinition.class);
    }
  }

  private static JSONSchemaProps at(JSONSchemaProps schema, String... path) {
    JSONSchemaProps current = schema;
    for (String name : path) {
      current =
          Objects.requireNonNull(
              name.equals("[]")
                  ? current.getItems().getSchema()
                  : current.getProperties().get(name),
              name);
    }
    return current;
  }

  @Test
  void authorizationPoliciesHaveEveryFieldThatIsReadOrReported() throws IOException {
    CustomResourceDefinition definition = read("security.istio.io_authorizationpolicies.yaml");
    assertThat(definition.getSpec().getVersions())
        .extracting(CustomResourceDefinitionVersion::getName)
        .containsExactly("v1", "v1beta1");
    for (CustomResourceDefinitionVersion version : definition.getSpec().getVersions()) {
      assertThat(version.getSubresources().getStatus()).isNotNull();
      JSONSchemaProps spec = at(version.getSchema().getOpenAPIV3Schema(), "spec");
      assertThat(spec.getProperties())
          .containsKeys("selector", "targetRef", "targetRefs", "action", "provider", "rules");
      JSONSchemaProps rule = at(spec, "rules", "[]");
      assertThat(at(rule, "from", "[]", "source").getProperties())
          .containsOnlyKeys(
              "principals",
              "notPrincipals",
              "requestPrincipals",
              "notRequestPrincipals",
              "namespaces",
              "notNamespaces",
              "serviceAccounts",
              "notServiceAccounts",
              "ipBlocks",
              "notIpBlocks",
              "remoteIpBlocks",
              "notRemoteIpBlocks",
              "trustDomains",
              "notTrustDomains");
      assertThat(at(rule, "to", "[]", "operation").getProperties())
          .containsOnlyKeys(
              "hosts",
              "notHosts",
              "ports",
              "notPorts",
              "methods",
              "notMethods",
              "paths",
              "notPaths");
      assertThat(at(rule, "when", "[]").getProperties())
          .containsOnlyKeys("key", "values", "notValues");
      JSONSchemaProps conditions =
          at(version.getSchema().getOpenAPIV3Schema(), "status", "conditions");
      // Several owners each apply their own condition.
      assertThat(conditions.getXKubernetesListType()).isEqualTo("map");
      assertThat(conditions.getXKubernetesListMapKeys()).containsExactly("type");
    }
  }

  @Test
  void peerAuthenticationsHaveTheirModesByPort() throws IOException {
    CustomResourceDefinition definition = read("security.istio.io_peerauthentications.yaml");
    for (CustomResourceDefinitionVersion version : definition.getSpec().getVersions()) {
      JSONSchemaProps spec = at(version.getSchema().getOpenAPIV3Schema(), "spec");
      assertThat(spec.getProperties()).containsOnlyKeys("selector", "mtls", "portLevelMtls");
      assertThat(at(spec, "mtls", "mode").getEnum())
          .extracting(Object::toString)
          .anySatisfy(mode -> assertThat(mode).contains("STRICT"));
      // The API server limits what a rule over a map may cost by how large the map may be.
      assertThat(at(spec, "portLevelMtls").getMaxProperties()).isPositive();
    }
  }

  @Test
  void entriesHaveEveryFieldThatIsRead() throws IOException {
    CustomResourceDefinition entries = read("networking.istio.io_serviceentries.yaml");
    CustomResourceDefinition workloads = read("networking.istio.io_workloadentries.yaml");
    String[] workload = {
      "address", "ports", "labels", "network", "locality", "weight", "serviceAccount"
    };
    for (CustomResourceDefinitionVersion version : entries.getSpec().getVersions()) {
      JSONSchemaProps schema = version.getSchema().getOpenAPIV3Schema();
      assertThat(version.getSubresources().getStatus()).isNotNull();
      assertThat(at(schema, "spec").getProperties())
          .containsOnlyKeys(
              "hosts",
              "addresses",
              "ports",
              "location",
              "resolution",
              "endpoints",
              "workloadSelector",
              "exportTo",
              "subjectAltNames");
      assertThat(at(schema, "spec", "endpoints", "[]").getProperties()).containsOnlyKeys(workload);
      assertThat(at(schema, "status", "addresses", "[]").getProperties())
          .containsOnlyKeys("host", "value");
      assertThat(at(schema, "status", "conditions").getXKubernetesListType()).isEqualTo("map");
    }
    for (CustomResourceDefinitionVersion version : workloads.getSpec().getVersions()) {
      JSONSchemaProps schema = version.getSchema().getOpenAPIV3Schema();
      assertThat(version.getSubresources().getStatus()).isNotNull();
      assertThat(at(schema, "spec").getProperties()).containsOnlyKeys(workload);
      assertThat(at(schema, "status", "conditions").getXKubernetesListType()).isEqualTo("map");
    }
  }
}
