package dev.ambit.operator.model;

import dev.ambit.protocol.workload.AppProtocol;
import dev.ambit.protocol.workload.Port;
import dev.ambit.protocol.workload.PortList;
import io.fabric8.istio.api.api.networking.v1alpha3.WorkloadEntry;
import io.fabric8.istio.api.networking.v1.ServiceEntry;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointPort;
import io.fabric8.kubernetes.api.model.discovery.v1.EndpointSlice;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/** Which port of an endpoint a service's port leads to: TCP's, and beside them UDP's. */
final class ServicePorts {
  private static final String TCP = "TCP";
  private static final String UDP = "UDP";

  private ServicePorts() {}

  /**
   * As the service itself says; 0 stands for a named target port, which each endpoint answers for
   * itself.
   */
  static List<Port> of(Service service) {
    return of(ports(service, TCP));
  }

  /** The same, of UDP. */
  static List<Port> datagramsOf(Service service) {
    return of(ports(service, UDP));
  }

  private static List<Port> of(List<ServicePort> servicePorts) {
    List<Port> ports = new ArrayList<>();
    for (ServicePort port : servicePorts) {
      ports.add(port(port, named(port) == null ? number(port) : 0));
    }
    return ports;
  }

  /**
   * As a pod that the service selects offers them; a name that the pod does not have drops that
   * port.
   */
  static PortList onPod(Service service, Pod pod) {
    PortList.Builder ports = PortList.newBuilder();
    for (ServicePort port : ports(service, TCP)) {
      onPod(port, pod, TCP).ifPresent(number -> ports.addPorts(port(port, number)));
    }
    for (ServicePort port : ports(service, UDP)) {
      onPod(port, pod, UDP).ifPresent(number -> ports.addDatagramPorts(port(port, number)));
    }
    return ports.build();
  }

  private static OptionalInt onPod(ServicePort port, Pod pod, String protocol) {
    String name = named(port);
    return name == null ? OptionalInt.of(number(port)) : containerPort(pod, name, protocol);
  }

  /** As an EndpointSlice maps them, by the port's name. */
  static PortList onSlice(Service service, EndpointSlice slice) {
    PortList.Builder ports = PortList.newBuilder();
    for (ServicePort port : ports(service, TCP)) {
      for (EndpointPort endpoint : orEmpty(slice.getPorts())) {
        if (endpoint.getPort() != null
            && is(endpoint.getProtocol(), TCP)
            && text(endpoint.getName()).equals(text(port.getName()))) {
          ports.addPorts(port(port, endpoint.getPort()));
        }
      }
    }
    return ports.build();
  }

  /** As a ServiceEntry says; a port without a target is its own. */
  static List<Port> of(ServiceEntry entry) {
    return tcpPorts(entry).stream().map(port -> port(port, target(port))).toList();
  }

  /**
   * As a pod that a ServiceEntry selects offers them: a port of the same name, or else the target.
   */
  static PortList onPod(ServiceEntry entry, Pod pod) {
    PortList.Builder ports = PortList.newBuilder();
    for (var port : tcpPorts(entry)) {
      ports.addPorts(
          port(port, containerPort(pod, text(port.getName()), TCP).orElse(target(port))));
    }
    return ports.build();
  }

  /** As an endpoint of a ServiceEntry offers them: a port of the same name, or else the target. */
  static PortList onEntry(ServiceEntry entry, WorkloadEntry endpoint) {
    PortList.Builder ports = PortList.newBuilder();
    for (var port : tcpPorts(entry)) {
      ports.addPorts(port(port, named(endpoint, text(port.getName())).orElse(target(port))));
    }
    return ports.build();
  }

  /**
   * As a WorkloadEntry that a Service selects offers them: by the target's name, or the port's; a
   * target's name that the entry does not have drops that port.
   */
  static PortList onEntry(Service service, WorkloadEntry endpoint) {
    PortList.Builder ports = PortList.newBuilder();
    for (ServicePort port : ports(service, TCP)) {
      String name = named(port);
      OptionalInt target =
          name == null
              ? OptionalInt.of(named(endpoint, text(port.getName())).orElse(number(port)))
              : named(endpoint, name);
      target.ifPresent(number -> ports.addPorts(port(port, number)));
    }
    return ports.build();
  }

  private static OptionalInt named(WorkloadEntry endpoint, String name) {
    Long port =
        endpoint.getPorts() == null || name.isEmpty() ? null : endpoint.getPorts().get(name);
    return port == null || !valid(port) ? OptionalInt.empty() : OptionalInt.of(port.intValue());
  }

  private static List<io.fabric8.istio.api.api.networking.v1alpha3.ServicePort> tcpPorts(
      ServiceEntry entry) {
    return orEmpty(entry.getSpec().getPorts()).stream()
        .filter(
            port ->
                port.getNumber() != null
                    && valid(port.getNumber())
                    && !"UDP".equalsIgnoreCase(port.getProtocol()))
        .toList();
  }

  private static boolean valid(long port) {
    return port >= 1 && port <= 65535;
  }

  private static int target(io.fabric8.istio.api.api.networking.v1alpha3.ServicePort port) {
    Long target = port.getTargetPort();
    return (int) (target == null || !valid(target) ? port.getNumber() : target).longValue();
  }

  private static Port port(
      io.fabric8.istio.api.api.networking.v1alpha3.ServicePort port, int target) {
    return Port.newBuilder()
        .setServicePort(port.getNumber().intValue())
        .setTargetPort(target)
        .setAppProtocol(appProtocol(text(port.getProtocol())))
        .build();
  }

  private static List<ServicePort> ports(Service service, String protocol) {
    return orEmpty(service.getSpec().getPorts()).stream()
        .filter(port -> port.getPort() != null && is(port.getProtocol(), protocol))
        .toList();
  }

  /** A port that names no protocol is TCP's. */
  private static boolean is(@Nullable String named, String protocol) {
    return protocol.equals(named == null || named.isEmpty() ? TCP : named);
  }

  private static @Nullable String named(ServicePort port) {
    IntOrString target = port.getTargetPort();
    return target == null || target.getStrVal() == null || target.getStrVal().isEmpty()
        ? null
        : target.getStrVal();
  }

  private static int number(ServicePort port) {
    IntOrString target = port.getTargetPort();
    Integer number = target == null ? null : target.getIntVal();
    return number == null || number == 0 ? port.getPort() : number;
  }

  private static OptionalInt containerPort(Pod pod, String name, String protocol) {
    if (name.isEmpty()) {
      return OptionalInt.empty();
    }
    for (Container container : orEmpty(pod.getSpec().getContainers())) {
      OptionalInt port = containerPort(container, name, protocol);
      if (port.isPresent()) {
        return port;
      }
    }
    // A sidecar in Kubernetes' sense is an init container that goes on running.
    for (Container container : orEmpty(pod.getSpec().getInitContainers())) {
      if ("Always".equals(container.getRestartPolicy())) {
        OptionalInt port = containerPort(container, name, protocol);
        if (port.isPresent()) {
          return port;
        }
      }
    }
    return OptionalInt.empty();
  }

  private static OptionalInt containerPort(Container container, String name, String protocol) {
    for (ContainerPort port : orEmpty(container.getPorts())) {
      if (name.equals(port.getName())
          && is(port.getProtocol(), protocol)
          && port.getContainerPort() != null) {
        return OptionalInt.of(port.getContainerPort());
      }
    }
    return OptionalInt.empty();
  }

  private static Port port(ServicePort port, int target) {
    return Port.newBuilder()
        .setServicePort(port.getPort())
        .setTargetPort(target)
        .setAppProtocol(appProtocol(port))
        .build();
  }

  /** Spoken in HTTP of any version, unlike gRPC. */
  private static final String GRPC_WEB = "grpc-web";

  static AppProtocol appProtocol(ServicePort port) {
    String protocol = port.getAppProtocol();
    if (protocol == null || protocol.isEmpty()) {
      String name = text(port.getName()).toLowerCase(Locale.ROOT);
      int dash = name.indexOf('-');
      protocol =
          name.equals(GRPC_WEB) || name.startsWith(GRPC_WEB + "-")
              ? GRPC_WEB
              : dash < 0 ? name : name.substring(0, dash);
    }
    return appProtocol(protocol);
  }

  private static AppProtocol appProtocol(String protocol) {
    return switch (protocol.toLowerCase(Locale.ROOT)) {
      case "http", GRPC_WEB, "kubernetes.io/ws" -> AppProtocol.HTTP11;
      case "http2", "kubernetes.io/h2c" -> AppProtocol.HTTP2;
      case "grpc" -> AppProtocol.GRPC;
      case "tcp" -> AppProtocol.TCP;
      case "tls", "https", "kubernetes.io/wss" -> AppProtocol.TLS;
      default -> AppProtocol.UNKNOWN;
    };
  }

  private static String text(@Nullable String value) {
    return value == null ? "" : value;
  }

  private static <T> List<T> orEmpty(@Nullable List<T> list) {
    return list == null ? List.of() : list;
  }
}
