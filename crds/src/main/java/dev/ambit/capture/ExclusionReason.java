package dev.ambit.capture;

/** Why a pod that an enrollment reaches is left out. */
public enum ExclusionReason {
  EXCLUDED_NAMESPACE(
      "ExcludedNamespace", "the AmbientMesh lists the namespace under excludedNamespaces"),
  OTHER_REVISION(
      "OtherRevision", "the label istio.io/rev says that the pod is another control plane's"),
  COMPLETED("Completed", "all containers of the pod have ended"),
  HOST_NETWORK("HostNetwork", "the pod uses its node's network, which is never redirected"),
  SIDECAR_INJECTED("SidecarInjected", "the pod has a sidecar proxy already"),
  OPTED_OUT("OptedOut", "the pod is labelled istio.io/dataplane-mode=none"),
  UNKNOWN_DATAPLANE_MODE(
      "UnknownDataplaneMode",
      "the label istio.io/dataplane-mode has a value other than ambient and none");

  private final String text;
  private final String explanation;

  ExclusionReason(String text, String explanation) {
    this.text = text;
    this.explanation = explanation;
  }

  /** The reason as statuses and events spell it. */
  public String text() {
    return text;
  }

  /** The reason as a sentence's part. */
  public String explanation() {
    return explanation;
  }
}
