package dev.ambit.operator.model;

/** An object on whose status the mesh says what it made of it. */
public record BoundObject(Kind kind, String namespace, String name) {
  /** Its kind. */
  public enum Kind {
    SERVICE("Service"),
    SERVICE_ENTRY("ServiceEntry"),
    WORKLOAD_ENTRY("WorkloadEntry"),
    VIRTUAL_SERVICE("VirtualService"),
    DESTINATION_RULE("DestinationRule"),
    TELEMETRY("Telemetry"),
    AUTHORIZATION_POLICY("AuthorizationPolicy"),
    REQUEST_AUTHENTICATION("RequestAuthentication");

    private final String text;

    Kind(String text) {
      this.text = text;
    }

    /** As Kubernetes has it. */
    public String text() {
      return text;
    }
  }
}
