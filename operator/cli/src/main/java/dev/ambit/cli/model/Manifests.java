package dev.ambit.cli.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Objects from files, as they would be in one namespace. An object without a namespace is taken to
 * be meant for it.
 */
public record Manifests(String namespace, List<JsonNode> documents) {
  private static final List<String> TEMPLATES =
      List.of("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job");

  public Manifests {
    documents = List.copyOf(documents);
  }

  /** The objects of a kind in this namespace, or in another that is named. */
  public List<JsonNode> of(String kind, String in) {
    return documents.stream()
        .filter(each -> Objects.text(each, "/kind").equals(kind))
        .filter(each -> namespaceOf(each).equals(in))
        .map(each -> placed(each, in))
        .toList();
  }

  private String namespaceOf(JsonNode object) {
    String written = Objects.namespace(object);
    return written.isEmpty() ? namespace : written;
  }

  private static JsonNode placed(JsonNode object, String in) {
    ObjectNode copy = object.deepCopy();
    copy.withObject("/metadata").put("namespace", in);
    return copy;
  }

  /** The Namespace itself; one without labels where no file has it. */
  public JsonNode namespaceObject() {
    return clusterScoped("Namespace", namespace)
        .orElseGet(
            () -> {
              ObjectNode made = JsonNodeFactory.instance.objectNode();
              made.withObject("/metadata").put("name", namespace);
              return made;
            });
  }

  /** The object of a kind without namespaces. */
  public Optional<JsonNode> clusterScoped(String kind, String name) {
    return documents.stream()
        .filter(each -> Objects.text(each, "/kind").equals(kind))
        .filter(each -> Objects.name(each).equals(name))
        .findFirst();
  }

  /** Pods, and one for each template of pods, under the name of what has it. */
  public List<JsonNode> pods() {
    List<JsonNode> pods = new ArrayList<>(of("Pod", namespace));
    for (String kind : TEMPLATES) {
      of(kind, namespace).forEach(each -> pods.add(pod(each, each.at("/spec/template"))));
    }
    of("CronJob", namespace)
        .forEach(each -> pods.add(pod(each, each.at("/spec/jobTemplate/spec/template"))));
    return pods;
  }

  private JsonNode pod(JsonNode owner, JsonNode template) {
    ObjectNode pod = JsonNodeFactory.instance.objectNode();
    pod.put("apiVersion", "v1").put("kind", "Pod");
    if (template.path("metadata").isObject()) {
      pod.set("metadata", template.path("metadata").deepCopy());
    }
    pod.withObject("/metadata").put("name", Objects.name(owner)).put("namespace", namespace);
    pod.set("spec", template.path("spec").deepCopy());
    return pod;
  }
}
