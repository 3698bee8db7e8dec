package dev.ambit.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.ambit.api.AmbientMeshSpec;
import dev.ambit.api.WellKnown;
import dev.ambit.cli.model.PodExplanation;
import dev.ambit.cli.output.Json;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.File;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * The cluster as commands read it. Objects are read as plain JSON, so that a command line and a
 * cluster of different versions understand each other.
 */
final class Cluster implements AutoCloseable {
  static final String AMBIT_API = "/apis/ambit.dev/v1alpha1";
  static final String GATEWAY_API = "/apis/gateway.networking.k8s.io/v1";
  static final String SECURITY_API = "/apis/security.istio.io/v1";

  static final ResourceDefinitionContext ENROLLMENTS =
      new ResourceDefinitionContext.Builder()
          .withGroup("ambit.dev")
          .withVersion("v1alpha1")
          .withKind("MeshEnrollment")
          .withPlural("meshenrollments")
          .withNamespaced(true)
          .build();

  private static final int TIMEOUT_MILLISECONDS = 15_000;

  private final Supplier<Config> found;
  private final Optional<PlainAccess> access;
  private final Optional<ApiReader> reader;
  private final String rootNamespace;
  private @Nullable Config config;
  private @Nullable KubernetesClient client;

  private Cluster(Supplier<Config> found, Optional<PlainAccess> access, String rootNamespace) {
    this.found = found;
    this.access = access;
    this.reader = access.map(ApiReader::new);
    this.rootNamespace = rootNamespace;
  }

  static Cluster connect(
      Environment environment,
      @Nullable Path kubeconfig,
      @Nullable String context,
      String rootNamespace) {
    Path file = kubeconfig == null ? null : environment.folder().resolve(kubeconfig);
    Optional<PlainAccess> access =
        plainKubeconfig(environment, file).flatMap(each -> PlainAccess.of(each, context));
    Cluster cluster = new Cluster(() -> config(file, context), access, rootNamespace);
    if (access.isEmpty()) {
      // Says at once what is wrong with the kubeconfig.
      var unused = cluster.config();
    }
    return cluster;
  }

  /** The one kubeconfig that there is, where nothing around it may change what it says. */
  private static Optional<Path> plainKubeconfig(Environment environment, @Nullable Path asked) {
    boolean more =
        environment.variables().keySet().stream()
            .anyMatch(
                name ->
                    name.toLowerCase(Locale.ROOT).endsWith("_proxy")
                        || (name.startsWith("KUBERNETES_")
                            && !name.startsWith("KUBERNETES_SERVICE_")
                            && !name.startsWith("KUBERNETES_PORT")));
    if (more) {
      return Optional.empty();
    }
    Path file =
        asked != null
            ? asked
            : environment
                .variable("KUBECONFIG")
                .map(Path::of)
                .orElse(Path.of(System.getProperty("user.home"), ".kube", "config"));
    return Optional.of(file).filter(Files::isReadable);
  }

  private static Config config(@Nullable Path file, @Nullable String context) {
    Config found;
    try {
      found = file == null ? Config.autoConfigure(context) : fromFile(file, context);
    } catch (KubernetesClientException | IllegalArgumentException e) {
      throw Failure.usage("the kubeconfig cannot be used: " + Failures.cause(e));
    }
    if (context != null
        && (found.getCurrentContext() == null
            || !context.equals(found.getCurrentContext().getName()))) {
      throw Failure.usage(
          "the kubeconfig has no context '" + context + "': see `kubectl config get-contexts`");
    }
    return new ConfigBuilder(found)
        .withRequestRetryBackoffLimit(1)
        .withConnectionTimeout(TIMEOUT_MILLISECONDS)
        .withRequestTimeout(2 * TIMEOUT_MILLISECONDS)
        .build();
  }

  private synchronized Config config() {
    if (config == null) {
      config = found.get();
    }
    return config;
  }

  private static Config fromFile(Path file, @Nullable String context) {
    if (!Files.isReadable(file)) {
      throw Failure.usage("the kubeconfig " + file + " cannot be read");
    }
    File kubeconfig = file.toFile();
    return context == null
        ? Config.fromKubeconfig(kubeconfig)
        : Config.fromKubeconfig(context, kubeconfig);
  }

  /** The whole client, for all but reading: it takes long to start. */
  synchronized KubernetesClient client() {
    if (client == null) {
      // The classes of all kinds that there are need not be found: hardly any is read as one.
      KubernetesSerialization serialization =
          new KubernetesSerialization(new ObjectMapper(), false);
      client =
          new KubernetesClientBuilder()
              .withConfig(config())
              .withKubernetesSerialization(serialization)
              .build();
    }
    return client;
  }

  /** The namespace of the context. */
  String namespace() {
    String namespace = access.isPresent() ? access.get().namespace() : config().getNamespace();
    return namespace == null || namespace.isEmpty() ? "default" : namespace;
  }

  /** Where Ambit is installed. */
  String rootNamespace() {
    return rootNamespace;
  }

  /** What is at a path; empty where nothing is, such as a kind that the cluster lacks. */
  Optional<JsonNode> get(String path) {
    return Optional.ofNullable(raw(path)).map(Cluster::parse);
  }

  private @Nullable String raw(String path) {
    return reader
        .map(each -> each.ask(path, null))
        .map(
            answer ->
                switch (answer) {
                  case ApiReader.Answer.Text(String text) -> Optional.of(text);
                  case ApiReader.Answer.Nothing _ -> Optional.<String>empty();
                  case ApiReader.Answer.AskAgain _ -> Optional.ofNullable(client().raw(path));
                })
        .orElseGet(() -> Optional.ofNullable(client().raw(path)))
        .orElse(null);
  }

  /** The API server's answer to a review, which is asked by posting it. */
  JsonNode review(String path, JsonNode review) {
    String body = review.toString();
    return reader.map(each -> each.ask(path, body)).orElseGet(ApiReader.Answer.AskAgain::new)
            instanceof ApiReader.Answer.Text(String text)
        ? parse(text)
        : parse(client().raw(path, "POST", body));
  }

  /** The text at a path, such as a log. */
  String text(String path) {
    String text = raw(path);
    return text == null ? "" : text;
  }

  /** The items of a list; none where the cluster lacks the kind. */
  List<JsonNode> list(String path) {
    return get(path)
        .map(list -> StreamSupport.stream(list.path("items").spliterator(), false).toList())
        .orElse(List.of());
  }

  /** The items of a kind in one namespace, or in all. */
  List<JsonNode> list(String api, String plural, @Nullable String namespace, String query) {
    return list(path(api, plural, namespace) + (query.isEmpty() ? "" : "?" + query));
  }

  static String path(String api, String plural, @Nullable String namespace) {
    return namespace == null ? api + "/" + plural : api + "/namespaces/" + namespace + "/" + plural;
  }

  static String labelSelector(String selector) {
    return "labelSelector=" + URLEncoder.encode(selector, StandardCharsets.UTF_8);
  }

  static String fieldSelector(String selector) {
    return "fieldSelector=" + URLEncoder.encode(selector, StandardCharsets.UTF_8);
  }

  static JsonNode parse(String json) {
    try {
      return Json.parse(json);
    } catch (JsonProcessingException e) {
      throw Failure.refused("the API server's answer is no JSON: " + e.getOriginalMessage());
    }
  }

  Optional<JsonNode> mesh() {
    return get(AMBIT_API + "/ambientmeshes/" + WellKnown.DEFAULT_NAME);
  }

  /** The MeshEnrollments of one namespace, or of all. */
  List<JsonNode> enrollments(@Nullable String namespace) {
    Optional<JsonNode> list = get(path(AMBIT_API, "meshenrollments", namespace));
    if (list.isEmpty()) {
      throw Failure.refused(
          "the cluster does not know MeshEnrollments: install Ambit first (see `ambit check`)");
    }
    return StreamSupport.stream(list.get().path("items").spliterator(), false).toList();
  }

  JsonNode requireNamespace(String name) {
    return get("/api/v1/namespaces/" + name)
        .orElseThrow(() -> Failure.refused("there is no namespace '" + name + "'"));
  }

  /** Namespaces that are never captured. */
  Set<String> excludedNamespaces(Optional<JsonNode> mesh) {
    return excludedNamespaces(mesh, rootNamespace);
  }

  static Set<String> excludedNamespaces(Optional<JsonNode> mesh, String rootNamespace) {
    Set<String> excluded = new HashSet<>(AmbientMeshSpec.DEFAULTS.excludedNamespaces());
    mesh.map(object -> object.at("/spec/excludedNamespaces"))
        .filter(JsonNode::isArray)
        .ifPresent(
            written -> {
              excluded.clear();
              written.forEach(name -> excluded.add(name.asText()));
            });
    excluded.add(rootNamespace);
    return excluded;
  }

  /** What decides for the pods of a namespace. */
  PodExplanation.Surroundings surroundings(String namespace) {
    return PodExplanation.Surroundings.of(
        requireNamespace(namespace),
        excludedNamespaces(mesh()),
        list(AMBIT_API, "meshenrollments", namespace, ""));
  }

  JsonNode requirePod(Reference pod) {
    return get("/api/v1/namespaces/" + pod.namespace() + "/pods/" + pod.name())
        .orElseThrow(() -> Failure.refused("there is no pod '" + pod + "'"));
  }

  /** The pods of one of Ambit's components. */
  List<JsonNode> componentPods(String component) {
    return list(
        "/api/v1", "pods", rootNamespace, labelSelector("app.kubernetes.io/name=" + component));
  }

  @Override
  public synchronized void close() {
    if (client != null) {
      client.close();
    }
  }
}
