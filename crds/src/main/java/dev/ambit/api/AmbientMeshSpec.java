package dev.ambit.api;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import io.fabric8.generator.annotation.Default;
import io.fabric8.generator.annotation.Pattern;
import io.fabric8.generator.annotation.Size;
import io.fabric8.generator.annotation.ValidationRule;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a cluster's mesh should be. Absent fields take the values that the CRD's schema names. */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record AmbientMeshSpec(
    @JsonPropertyDescription(
            "Trust domain of all identities: spiffe://TRUST_DOMAIN/ns/NAMESPACE/sa/SERVICE_ACCOUNT."
                + " It cannot be changed later.")
        @Default("cluster.local")
        @Size(min = 1, max = 253)
        @ValidationRule(
            value = "self.matches('^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$')",
            message =
                "a trust domain consists of lower case letters, digits, '.', '-' and '_', and begins"
                    + " and ends with a letter or digit")
        @ValidationRule(
            value = "self == oldSelf",
            message =
                "the trust domain cannot be changed, since every certificate names it: delete the"
                    + " AmbientMesh, wait until its nodes are clean, and create it anew")
        String trustDomain,
    @JsonPropertyDescription(
            "Other names of the trust domain, such as one that a mesh used before: peers whose"
                + " certificates are of one of them are let in, and a policy's principal that names"
                + " one of them, or the trust domain itself, means all. Certificates are issued for"
                + " the trust domain alone.")
        @Default("[]")
        @Size(max = 32)
        List<@Pattern("^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$") @Size(min = 1, max = 253) String>
            trustDomainAliases,
    @JsonPropertyDescription("The certificate authority.") @Default("{}")
        CertificateAuthoritySpec ca,
    @JsonPropertyDescription("The certificates that workloads get.") @Default("{}")
        WorkloadCertificateSpec workloadCertificate,
    @JsonPropertyDescription(
            "Namespaces that are never captured, whatever their labels say. Ambit's own is always one"
                + " of them.")
        @Default("[\"kube-system\"]")
        List<String> excludedNamespaces,
    @JsonPropertyDescription(
            "Whether captured pods accept plaintext, where neither a MeshEnrollment nor a"
                + " PeerAuthentication says otherwise.")
        @Default("Permissive")
        MtlsMode mtls,
    @JsonPropertyDescription(
            "Whether captured pods' DNS questions go to the ztunnel, which answers for the mesh's"
                + " services and hands all others on. A pod's annotation"
                + " ambient.istio.io/dns-capture wins over it.")
        @Default("true")
        Boolean dnsCapture,
    @JsonPropertyDescription(
            "Whether UDP between captured pods is carried in HBONE, and judged by L4 policies. The"
                + " ztunnels then have the capabilities NET_BIND_SERVICE and NET_RAW too.")
        @Default("false")
        Boolean udp,
    @JsonPropertyDescription("How pods leave the mesh.") @Default("{}") LeavingSpec leaving,
    @JsonPropertyDescription("The proxy of each node.") @Default("{}") ZtunnelSpec ztunnel,
    @JsonPropertyDescription(
            "What waypoints are like where their own Gateways' parameters do not say otherwise.")
        @Default("{}")
        WaypointSpec waypoint,
    @JsonPropertyDescription("The agent of each node.") @Default("{}") AgentSpec agent,
    @JsonPropertyDescription("Where the node's container runtime looks for CNI plugins.")
        @Default("{}")
        CniSpec cni,
    @JsonPropertyDescription(
            "What policies and Telemetry objects refer to by name, such as external authorizers and"
                + " collectors.")
        @Default("[]")
        @Size(max = 32)
        @ValidationRule(
            value = "self.all(one, self.exists_one(other, other.name == one.name))",
            message = "two providers have the same name")
        List<ExtensionProvider> extensionProviders,
    @JsonPropertyDescription(
            "Providers of telemetry that are used where no Telemetry object names any.")
        @Default("{}")
        DefaultProviders defaultProviders) {

  /** Every field at its default. */
  public static final AmbientMeshSpec DEFAULTS =
      new AmbientMeshSpec(
          null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);

  public AmbientMeshSpec(
      @Nullable String trustDomain,
      @Nullable List<String> trustDomainAliases,
      @Nullable CertificateAuthoritySpec ca,
      @Nullable WorkloadCertificateSpec workloadCertificate,
      @Nullable List<String> excludedNamespaces,
      @Nullable MtlsMode mtls,
      @Nullable Boolean dnsCapture,
      @Nullable Boolean udp,
      @Nullable LeavingSpec leaving,
      @Nullable ZtunnelSpec ztunnel,
      @Nullable WaypointSpec waypoint,
      @Nullable AgentSpec agent,
      @Nullable CniSpec cni,
      @Nullable List<ExtensionProvider> extensionProviders,
      @Nullable DefaultProviders defaultProviders) {
    this.trustDomain = trustDomain == null ? "cluster.local" : trustDomain;
    this.trustDomainAliases =
        trustDomainAliases == null ? List.of() : List.copyOf(trustDomainAliases);
    this.ca = ca == null ? CertificateAuthoritySpec.DEFAULTS : ca;
    this.workloadCertificate =
        workloadCertificate == null ? WorkloadCertificateSpec.DEFAULTS : workloadCertificate;
    this.excludedNamespaces =
        excludedNamespaces == null ? List.of("kube-system") : List.copyOf(excludedNamespaces);
    this.mtls = mtls == null ? MtlsMode.PERMISSIVE : mtls;
    this.dnsCapture = dnsCapture == null || dnsCapture;
    this.udp = udp != null && udp;
    this.leaving = leaving == null ? LeavingSpec.DEFAULTS : leaving;
    this.ztunnel = ztunnel == null ? ZtunnelSpec.DEFAULTS : ztunnel;
    this.waypoint = waypoint == null ? WaypointSpec.DEFAULTS : waypoint;
    this.agent = agent == null ? AgentSpec.DEFAULTS : agent;
    this.cni = cni == null ? CniSpec.DEFAULTS : cni;
    this.extensionProviders =
        extensionProviders == null ? List.of() : List.copyOf(extensionProviders);
    this.defaultProviders = defaultProviders == null ? DefaultProviders.DEFAULTS : defaultProviders;
  }
}
