package dev.ambit.operator.preflight.model;

import java.util.Set;

/** What findings say in one word. */
public final class PreflightReasons {
  public static final String HBONE_BLOCKED = "NetworkPolicyBlocksHbone";
  public static final String PROOF_BLOCKED = "NetworkPolicyBlocksProof";
  public static final String PROBES_BLOCKED = "NetworkPolicyBlocksProbes";
  public static final String WAYPOINT_BLOCKED = "NetworkPolicyBlocksWaypoint";
  public static final String HOST_NETWORK = "HostNetwork";
  public static final String SIDECAR = "SidecarInjected";
  public static final String PORT_TAKEN = "PortCollision";
  public static final String POLICY_TAKES_EFFECT = "PolicyTakesEffect";
  public static final String POLICY_DENIES = "PolicyDeniesAtL4";
  public static final String POLICY_STRICTER = "PolicyStricterAtL4";
  public static final String STRICT_MTLS = "StrictMtls";
  public static final String STRICT_MTLS_IN_STEPS = "StrictMtlsInSteps";
  public static final String DEFINITION_MISSING = "DefinitionMissing";
  public static final String ZTUNNEL_NOT_READY = "ZtunnelNotReady";
  public static final String AGENT_NOT_READY = "AgentNotReady";
  public static final String SANDBOXED = "SandboxedRuntime";
  public static final String POLICY_SEES_WAYPOINT = "PolicySeesWaypoint";
  public static final String SERVER_FIRST = "ServerFirstPort";
  public static final String UDP_CARRIED = "UdpCarried";
  public static final String UDP_LEFT_ALONE = "UdpLeftAlone";
  public static final String UDP_NOT_IN_MESH = "UdpNotInMesh";
  public static final String NOT_LINUX = "CaptureUnsupported";
  public static final String OTHER_CNI = "OtherPrimaryNetwork";
  public static final String STRICT_REFUSES = "StrictRefusesClient";
  public static final String SECOND_NETWORK = "SecondNetwork";

  /** CRD without which there are no waypoints. */
  public static final String GATEWAYS = "gateways.gateway.networking.k8s.io";

  /** Those that may be gone a moment later, without anybody's doing. */
  public static final Set<String> PASSING = Set.of(ZTUNNEL_NOT_READY, AGENT_NOT_READY);

  private PreflightReasons() {}
}
