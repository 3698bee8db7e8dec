package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.capture.ControlPlaneRevision;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Whether a cluster can carry Ambit, installed or not. */
public final class ClusterChecks {
  private static final int MINOR_NEEDED = 29;
  private static final int MINOR_WITH_ADMISSION_POLICIES = 30;
  private static final int KERNEL_MAJOR_NEEDED = 5;
  private static final int KERNEL_MINOR_NEEDED = 2;
  private static final int GATEWAY_MINOR_NEEDED = 6;
  private static final String CLUSTER = "Cluster";
  private static final String NODES = "Nodes";
  private static final String CNI = "CNI";
  private static final String GATEWAY_API = "Gateway API";
  private static final String OTHER_MESHES = "Other meshes";
  private static final String POD_SECURITY_LEVEL = "pod-security.kubernetes.io/enforce";

  private static final Pattern VERSION = Pattern.compile("v?(\\d+)\\.(\\d+).*", Pattern.DOTALL);

  /** DaemonSets by which network plugins are known. */
  private static final Map<String, String> PLUGINS =
      new TreeMap<>(
          Map.ofEntries(
              Map.entry("aws-node", "Amazon VPC CNI"),
              Map.entry("antrea-agent", "Antrea"),
              Map.entry("azure-cns", "Azure CNI"),
              Map.entry("calico-node", "Calico"),
              Map.entry("canal", "Canal"),
              Map.entry("cilium", "Cilium"),
              Map.entry("kindnet", "kindnet"),
              Map.entry("kube-flannel-ds", "Flannel"),
              Map.entry("kube-router", "kube-router"),
              Map.entry("ovnkube-node", "OVN-Kubernetes"),
              Map.entry("weave-net", "Weave Net")));

  private ClusterChecks() {}

  /**
   * What was read. Of what may not be read there is nothing, and a check of its own says so.
   *
   * @param daemonSets of all namespaces
   * @param deployments of all namespaces
   * @param ciliumConfig Cilium's ConfigMap
   */
  public record Facts(
      JsonNode version,
      List<JsonNode> nodes,
      List<JsonNode> daemonSets,
      List<JsonNode> deployments,
      List<JsonNode> namespaces,
      Optional<JsonNode> gatewayDefinition,
      Optional<JsonNode> ciliumConfig,
      String rootNamespace) {}

  /** Checks. */
  public static void check(Facts facts, CheckReport.Builder report) {
    version(facts.version(), report);
    facts.nodes().forEach(node -> node(node, report));
    platform(facts, report);
    plugin(facts, report);
    gatewayApi(facts.gatewayDefinition(), report);
    otherMeshes(facts, report);
    rootNamespace(facts, report);
  }

  private static void version(JsonNode version, CheckReport.Builder report) {
    String text = Objects.text(version, "/gitVersion");
    int minor = number(text, 2);
    if (minor < MINOR_NEEDED && number(text, 1) <= 1) {
      report.error(
          CLUSTER,
          "Kubernetes " + text + " is too old",
          "Upgrade the cluster to 1." + MINOR_NEEDED + " or later");
    } else if (minor < MINOR_WITH_ADMISSION_POLICIES && number(text, 1) <= 1) {
      report.warning(
          CLUSTER,
          "Kubernetes "
              + text
              + " lacks ValidatingAdmissionPolicies, which keep the operator to waypoints' objects",
          "Upgrade the cluster to 1." + MINOR_WITH_ADMISSION_POLICIES + " or later");
    } else {
      report.ok(CLUSTER, "Kubernetes " + text);
    }
  }

  /** The major (1) or minor (2) number of a version; a version that is none is the newest. */
  private static int number(String version, int group) {
    Matcher matcher = VERSION.matcher(version);
    return matcher.matches() ? Integer.parseInt(matcher.group(group)) : Integer.MAX_VALUE;
  }

  private static void node(JsonNode node, CheckReport.Builder report) {
    String name = Objects.name(node);
    JsonNode info = node.at("/status/nodeInfo");
    String system = Objects.text(info, "/operatingSystem");
    if (!system.equals("linux")) {
      report.warning(
          NODES,
          name + " runs " + system + ": its pods are never captured",
          "Nothing, where no pod of the mesh runs there");
      return;
    }
    List<String> problems = new ArrayList<>();
    String kernel = Objects.text(info, "/kernelVersion");
    int major = number(kernel, 1);
    if (major < KERNEL_MAJOR_NEEDED
        || (major == KERNEL_MAJOR_NEEDED && number(kernel, 2) < KERNEL_MINOR_NEEDED)) {
      problems.add(
          "its kernel "
              + kernel
              + " has no inet tables with NAT; "
              + KERNEL_MAJOR_NEEDED
              + "."
              + KERNEL_MINOR_NEEDED
              + " or later has");
    }
    String runtime = Objects.text(info, "/containerRuntimeVersion");
    if (!runtime.startsWith("containerd://") && !runtime.startsWith("cri-o://")) {
      problems.add(
          "its container runtime "
              + runtime
              + " is not known to keep network namespaces in /var/run/netns");
    }
    String architecture = Objects.text(info, "/architecture");
    if (!architecture.equals("amd64") && !architecture.equals("arm64")) {
      problems.add("there are no images for " + architecture);
    }
    String description =
        name
            + ": "
            + Objects.text(info, "/osImage")
            + ", kernel "
            + kernel
            + ", "
            + runtime
            + ", "
            + architecture;
    if (!problems.isEmpty()) {
      report.error(
          NODES,
          name + ": " + String.join("; ", problems),
          "Replace the node or its runtime, or keep pods of the mesh off it");
    } else if (!Objects.holds(node, "Ready")) {
      report.warning(
          NODES, description + ", not ready", "See `kubectl describe node " + name + "`");
    } else {
      report.ok(NODES, description);
    }
  }

  private static void platform(Facts facts, CheckReport.Builder report) {
    boolean k3s =
        facts.nodes().stream()
            .map(node -> Objects.text(node, "/status/nodeInfo/kubeletVersion"))
            .anyMatch(version -> version.contains("+k3s") || version.contains("+rke2"));
    if (k3s) {
      report.ok(
          CLUSTER,
          "K3s or RKE2 keeps CNI plugins in folders of its own: install with --set platform=k3s");
    }
  }

  private static void plugin(Facts facts, CheckReport.Builder report) {
    TreeSet<String> found = new TreeSet<>();
    for (JsonNode daemonSet : facts.daemonSets()) {
      String plugin = PLUGINS.get(Objects.name(daemonSet));
      if (plugin != null) {
        found.add(plugin);
      }
    }
    if (found.isEmpty()) {
      report.ok(
          CNI,
          "The network plugin is none that is known by its DaemonSet; the agents find its"
              + " configuration on the nodes");
    } else {
      report.ok(CNI, "Network plugin: " + String.join(", ", found));
    }
    facts.ciliumConfig().ifPresent(config -> cilium(config, report));
  }

  private static void cilium(JsonNode config, CheckReport.Builder report) {
    if (!Objects.text(config, "/data/cni-exclusive").equals("false")) {
      report.error(
          CNI,
          "Cilium removes other CNI plugins' configuration (cni-exclusive), so that pods would start"
              + " uncaptured",
          "Set cni.exclusive=false in Cilium's Helm values");
    }
    boolean replaces = Objects.text(config, "/data/kube-proxy-replacement").equals("true");
    if (replaces && !Objects.text(config, "/data/bpf-lb-sock-hostns-only").equals("true")) {
      report.error(
          CNI,
          "Cilium replaces Services' addresses inside pods' sockets, so that ztunnels would never see"
              + " them",
          "Set socketLB.hostNamespaceOnly=true in Cilium's Helm values");
    }
    if (Objects.text(config, "/data/enable-bpf-masquerade").equals("true")) {
      report.warning(
          CNI,
          "Cilium's BPF masquerading may change the address by which kubelets' probes reach pods",
          "Where probes of captured pods fail, set bpf.masquerade=false in Cilium's Helm values");
    }
  }

  private static void gatewayApi(Optional<JsonNode> definition, CheckReport.Builder report) {
    if (definition.isEmpty()) {
      report.warning(
          GATEWAY_API,
          "The Gateway API's CRDs are not installed: there can be no waypoints",
          "For layer 7, install its standard channel, v1." + GATEWAY_MINOR_NEEDED + " or later");
      return;
    }
    String version =
        Objects.annotations(definition.get())
            .getOrDefault("gateway.networking.k8s.io/bundle-version", "");
    if (version.isEmpty()) {
      report.warning(
          GATEWAY_API,
          "The Gateway API's CRDs do not say of which version they are",
          "For layer 7, install its standard channel, v1." + GATEWAY_MINOR_NEEDED + " or later");
    } else if (number(version, 1) <= 1 && number(version, 2) < GATEWAY_MINOR_NEEDED) {
      report.warning(
          GATEWAY_API,
          "The Gateway API's CRDs are " + version + ", too old for waypoints",
          "Upgrade them to v1." + GATEWAY_MINOR_NEEDED + " or later");
    } else {
      report.ok(GATEWAY_API, "The Gateway API's CRDs are " + version);
    }
  }

  private static void otherMeshes(Facts facts, CheckReport.Builder report) {
    int before = report.build().checks().size();
    for (JsonNode deployment : facts.deployments()) {
      String where = Objects.namespace(deployment) + "/" + Objects.name(deployment);
      Map<String, String> labels = Objects.labels(deployment);
      if ("istiod".equals(labels.get("app"))) {
        report.warning(
            OTHER_MESHES,
            "Istio's control plane runs (Deployment " + where + ")",
            "Enroll a namespace in one of the two meshes only; Gateways of class istio-waypoint are"
                + " left to Istio");
      } else if (labels.containsKey("linkerd.io/control-plane-component")) {
        other("Linkerd", where, report);
      } else if ("kuma-control-plane".equals(labels.get("app.kubernetes.io/name"))) {
        other("Kuma", where, report);
      } else if (Objects.name(deployment).equals("consul-connect-injector")) {
        other("Consul", where, report);
      }
    }
    for (JsonNode daemonSet : facts.daemonSets()) {
      String name = Objects.name(daemonSet);
      String where = Objects.namespace(daemonSet) + "/" + name;
      if (name.equals("istio-cni-node") || name.equals("ztunnel")) {
        report.warning(
            OTHER_MESHES,
            "Istio's ambient mode runs (DaemonSet "
                + where
                + "): it captures pods by the same label as Ambit",
            "Label Istio's namespaces "
                + ControlPlaneRevision.LABEL
                + ", or remove Istio's "
                + name
                + " before a namespace is enrolled here");
      } else if (name.equals("kmesh")) {
        other("Kmesh", where, report);
      }
    }
    String injected =
        facts.namespaces().stream()
            .filter(namespace -> "enabled".equals(Objects.labels(namespace).get("istio-injection")))
            .map(Objects::name)
            .collect(Collectors.joining(", "));
    if (!injected.isEmpty()) {
      report.warning(
          OTHER_MESHES,
          "Sidecars are injected in namespaces " + injected + ": such pods are left out",
          "Remove the label istio-injection and restart the pods, before they can be captured");
    }
    String others =
        facts.namespaces().stream()
            .filter(namespace -> !ControlPlaneRevision.isOurs(Objects.labels(namespace)))
            .map(
                namespace ->
                    Objects.name(namespace)
                        + " ("
                        + Objects.labels(namespace).get(ControlPlaneRevision.LABEL)
                        + ")")
            .collect(Collectors.joining(", "));
    if (!others.isEmpty()) {
      report.ok(
          OTHER_MESHES,
          "Left to another control plane by " + ControlPlaneRevision.LABEL + ": " + others);
    }
    if (report.build().checks().size() == before) {
      report.ok(OTHER_MESHES, "No other mesh is installed");
    }
  }

  private static void other(String mesh, String where, CheckReport.Builder report) {
    report.warning(
        OTHER_MESHES,
        mesh + " runs (" + where + ")",
        "Enroll no namespace whose pods are in it: pods with its sidecars are not recognized");
  }

  private static void rootNamespace(Facts facts, CheckReport.Builder report) {
    Optional<JsonNode> root =
        facts.namespaces().stream()
            .filter(each -> Objects.name(each).equals(facts.rootNamespace()))
            .findFirst();
    String level =
        root.map(each -> Objects.labels(each).getOrDefault(POD_SECURITY_LEVEL, "")).orElse("");
    if (!level.isEmpty() && !level.equals("privileged")) {
      report.error(
          CLUSTER,
          "Namespace "
              + facts.rootNamespace()
              + " enforces the Pod Security level "
              + level
              + ", under which ztunnels and agents cannot start",
          "kubectl label namespace "
              + facts.rootNamespace()
              + " "
              + POD_SECURITY_LEVEL
              + "=privileged --overwrite");
    }
  }
}
