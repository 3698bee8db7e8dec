package dev.ambit.api;

/** Names that Ambit's programs, its users and its peers agree on. */
public final class WellKnown {
  /** Namespace and pod label with which users enroll. */
  public static final String DATAPLANE_MODE = "istio.io/dataplane-mode";

  public static final String DATAPLANE_MODE_AMBIENT = "ambient";
  public static final String DATAPLANE_MODE_NONE = "none";

  /** Pod annotation with the state of redirection that the node agent has observed. */
  public static final String REDIRECTION = "ambient.istio.io/redirection";

  public static final String REDIRECTION_ENABLED = "enabled";
  public static final String REDIRECTION_PENDING = "pending";

  /** Pod annotation, {@code true} or {@code false}: whether its DNS questions are captured. */
  public static final String DNS_CAPTURE = "ambient.istio.io/dns-capture";

  /**
   * Pod annotation of a pod that has left the mesh but for connections that still end in the
   * tunnel.
   */
  public static final String DRAINING = "ambit.dev/redirection";

  public static final String DRAINING_VALUE = "draining";

  /** Pod annotation whose presence says that a sidecar has been injected. */
  public static final String SIDECAR_STATUS = "sidecar.istio.io/status";

  /** Label of the MeshEnrollment that the operator derives from a namespace's labels. */
  public static final String MIRROR = "ambit.dev/mirror";

  /** Name of the MeshEnrollment that the operator derives from a namespace's labels. */
  public static final String MIRROR_NAME = "labels";

  /** Label of a MeshEnrollment that a ClusterMeshEnrollment made: the name of that. */
  public static final String FLEET = "ambit.dev/fleet";

  /** Name of a MeshEnrollment that a ClusterMeshEnrollment made. */
  public static final String FLEET_NAME = "fleet";

  /** Name that an AmbientMesh must have, and that a user's MeshEnrollment has by convention. */
  public static final String DEFAULT_NAME = "default";

  /** Finalizer of an AmbientMesh: nodes are cleaned before it goes. */
  public static final String CLEANUP_FINALIZER = "ambit.dev/cleanup";

  /** Finalizer of a ClusterMeshEnrollment: its namespaces leave in order before it goes. */
  public static final String FLEET_FINALIZER = "ambit.dev/fleet";

  /** Annotation that a node agent sets on its own pod once nothing of it is left on the node. */
  public static final String AGENT_CLEAN = "ambit.dev/clean";

  /** ConfigMap with the root certificates, in every namespace. */
  public static final String ROOT_CERTIFICATE_CONFIG_MAP = "ambit-ca-root-cert";

  public static final String ROOT_CERTIFICATE_KEY = "root-cert.pem";

  /** ConfigMap of Ambit's namespace with the certificate authority's revocation lists. */
  public static final String REVOCATION_CONFIG_MAP = "ambit-ca-crl";

  /** Key of it, and of the authority's Secret. */
  public static final String REVOCATION_KEY = "ca-crl.pem";

  /**
   * Label or annotation of an object or its namespace: what becomes of its traffic where its
   * waypoint cannot be used, {@code Reject} or {@code Bypass}.
   */
  public static final String WAYPOINT_WHEN_MISSING = "ambit.dev/waypoint-when-missing";

  private WellKnown() {}
}
