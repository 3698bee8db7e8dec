package dev.ambit.operator.waypoint.security.model;

import dev.ambit.operator.waypoint.model.MeshService;
import io.fabric8.istio.api.api.type.v1beta1.PolicyTargetReference;
import io.fabric8.istio.api.security.v1.AuthorizationPolicy;
import io.fabric8.istio.api.security.v1.RequestAuthentication;
import io.fabric8.istio.api.telemetry.v1.Telemetry;
import io.fabric8.kubernetes.api.model.HasMetadata;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** What a policy is attached to. */
public sealed interface Target {
  /** A Service or a ServiceEntry of the policy's namespace. */
  record OfService(MeshService.Kind kind, String namespace, String name) implements Target {
    @Override
    public String toString() {
      return switch (kind) {
            case SERVICE -> "Service ";
            case SERVICE_ENTRY -> "ServiceEntry ";
          }
          + namespace
          + "/"
          + name;
    }
  }

  /** A Gateway of the policy's namespace. */
  record OfGateway(String namespace, String name) implements Target {
    @Override
    public String toString() {
      return "Gateway " + namespace + "/" + name;
    }
  }

  /** A GatewayClass, for a policy of the root namespace. */
  record OfClass(String name) implements Target {
    @Override
    public String toString() {
      return "GatewayClass " + name;
    }
  }

  /** Something that policies cannot be attached to. */
  record Unsupported(String text, String why) implements Target {
    @Override
    public String toString() {
      return text;
    }
  }

  /** Those of a policy. */
  static List<Target> of(AuthorizationPolicy policy, String rootNamespace) {
    return of(
        policy,
        policy.getSpec(),
        spec -> spec.getTargetRef(),
        spec -> spec.getTargetRefs(),
        rootNamespace);
  }

  /** Those of a policy. */
  static List<Target> of(RequestAuthentication policy, String rootNamespace) {
    return of(
        policy,
        policy.getSpec(),
        spec -> spec.getTargetRef(),
        spec -> spec.getTargetRefs(),
        rootNamespace);
  }

  /** Those of a Telemetry object. */
  static List<Target> of(Telemetry telemetry, String rootNamespace) {
    return of(
        telemetry,
        telemetry.getSpec(),
        spec -> spec.getTargetRef(),
        spec -> spec.getTargetRefs(),
        rootNamespace);
  }

  /** Each kind has a spec of its own type with the same two fields. */
  private static <S> List<Target> of(
      HasMetadata object,
      @Nullable S spec,
      Function<S, @Nullable PolicyTargetReference> one,
      Function<S, @Nullable List<PolicyTargetReference>> several,
      String rootNamespace) {
    return spec == null
        ? List.of()
        : of(
            object.getMetadata().getNamespace(),
            one.apply(spec),
            several.apply(spec),
            rootNamespace);
  }

  /** Those of a policy, whose references are either of both. */
  private static List<Target> of(
      String namespace,
      @Nullable PolicyTargetReference one,
      @Nullable List<PolicyTargetReference> several,
      String rootNamespace) {
    List<Target> targets = new ArrayList<>();
    if (one != null) {
      targets.add(of(namespace, one, rootNamespace));
    }
    if (several != null) {
      several.forEach(
          each ->
              targets.add(
                  each == null
                      ? new Unsupported("an empty reference", "names nothing")
                      : of(namespace, each, rootNamespace)));
    }
    return targets.stream().distinct().toList();
  }

  private static Target of(
      String namespace, PolicyTargetReference reference, String rootNamespace) {
    String group = reference.getGroup() == null ? "" : reference.getGroup();
    String kind = reference.getKind() == null ? "" : reference.getKind();
    String name = reference.getName() == null ? "" : reference.getName();
    String text = kind + (group.isEmpty() ? "" : "." + group) + " " + name;
    if (name.isEmpty()) {
      return new Unsupported(text, "has no name");
    }
    if (reference.getNamespace() != null
        && !reference.getNamespace().isEmpty()
        && !reference.getNamespace().equals(namespace)) {
      return new Unsupported(
          text, "is of another namespace, where policies of this one do not reach");
    }
    boolean gatewayApi = group.equals("gateway.networking.k8s.io");
    return switch (kind) {
      case "Service" ->
          group.isEmpty() || group.equals("core")
              ? new OfService(MeshService.Kind.SERVICE, namespace, name)
              : unsupported(text);
      case "ServiceEntry" ->
          group.equals("networking.istio.io")
              ? new OfService(MeshService.Kind.SERVICE_ENTRY, namespace, name)
              : unsupported(text);
      case "Gateway" -> gatewayApi ? new OfGateway(namespace, name) : unsupported(text);
      case "GatewayClass" -> {
        if (!gatewayApi) {
          yield unsupported(text);
        }
        yield namespace.equals(rootNamespace)
            ? new OfClass(name)
            : new Unsupported(
                text, "takes only policies of the root namespace, which is " + rootNamespace);
      }
      default -> unsupported(text);
    };
  }

  private static Unsupported unsupported(String text) {
    return new Unsupported(
        text,
        "is not what policies attach to; that are Service, ServiceEntry, Gateway and GatewayClass");
  }
}
