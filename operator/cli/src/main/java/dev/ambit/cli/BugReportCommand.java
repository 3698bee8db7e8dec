package dev.ambit.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.ambit.cli.model.Objects;
import dev.ambit.cli.model.Redaction;
import dev.ambit.cli.model.WaypointStatus;
import dev.ambit.cli.output.Json;
import dev.ambit.cli.output.ProgressBar;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
    name = "bug-report",
    description =
        "Writes a zip file with versions, objects, statuses, events, logs and dumps of the mesh. It"
            + " has no Secrets, tokens, keys and environment variables' values.",
    footer = "%nEnds with 1 where something could not be read; errors.txt in the file says what.")
final class BugReportCommand extends ClusterCommand {
  /** What is collected of the whole cluster. */
  private static final Map<String, String> OBJECTS =
      Map.ofEntries(
          Map.entry("ambientmeshes", Cluster.AMBIT_API + "/ambientmeshes"),
          Map.entry("meshenrollments", Cluster.AMBIT_API + "/meshenrollments"),
          Map.entry("clustermeshenrollments", Cluster.AMBIT_API + "/clustermeshenrollments"),
          Map.entry("nodes", "/api/v1/nodes"),
          Map.entry("namespaces", "/api/v1/namespaces"),
          Map.entry("gatewayclasses", Cluster.GATEWAY_API + "/gatewayclasses"),
          Map.entry("gateways", Cluster.GATEWAY_API + "/gateways"),
          Map.entry("httproutes", Cluster.GATEWAY_API + "/httproutes"),
          Map.entry("grpcroutes", Cluster.GATEWAY_API + "/grpcroutes"),
          Map.entry("authorizationpolicies", Cluster.SECURITY_API + "/authorizationpolicies"),
          Map.entry("peerauthentications", Cluster.SECURITY_API + "/peerauthentications"),
          Map.entry("networkpolicies", "/apis/networking.k8s.io/v1/networkpolicies"));

  /** What is collected of Ambit's own namespace. */
  private static final Map<String, String> OWN =
      Map.of(
          "pods", "/api/v1",
          "events", "/api/v1",
          "services", "/api/v1",
          "deployments", "/apis/apps/v1",
          "daemonsets", "/apis/apps/v1",
          "leases", "/apis/coordination.k8s.io/v1");

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss").withZone(ZoneOffset.UTC);

  private static final int MOST_LOG_LINES = 20_000;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "The file to write; by default ambit-bug-report-TIME.zip here.")
  private @Nullable Path file;

  @Option(
      names = "--since",
      paramLabel = "TIME",
      description = "How far back logs go, such as 30m; by default ${DEFAULT-VALUE}.",
      defaultValue = "1h",
      converter = TimeConverter.class)
  @SuppressWarnings("NullAway.Init") // set by the parser
  private Duration since;

  BugReportCommand(Environment environment) {
    super(environment);
  }

  /** What came of it. */
  record Result(String file, List<String> entries, List<String> errors) {}

  /** A part of the report that is read when its turn comes. */
  private record Part(String name, Callable<String> content) {}

  @Override
  int run() {
    Instant now = environment.clock().instant();
    Path target =
        environment
            .folder()
            .resolve(
                file == null ? Path.of("ambit-bug-report-" + TIME.format(now) + ".zip") : file);
    List<String> errors = new ArrayList<>();
    List<String> entries = new ArrayList<>();
    ProgressBar bar = progressBar();
    List<Part> parts = parts();
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(target))) {
      int done = 0;
      for (Part part : parts) {
        bar.show(done++, parts.size(), part.name());
        try {
          entry(zip, part.name(), part.content().call());
          entries.add(part.name());
        } catch (KubernetesClientException e) {
          errors.add(part.name() + ": " + Failures.of(e).getMessage());
        } catch (IOException | Failure e) {
          errors.add(part.name() + ": " + e.getMessage());
        }
      }
      if (!errors.isEmpty()) {
        entry(zip, "errors.txt", Redaction.text(String.join("\n", errors) + "\n"));
      }
    } catch (IOException e) {
      throw Failure.refused(target + " cannot be written: " + Failures.cause(e));
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    } finally {
      bar.end();
    }
    Result result = new Result(target.toString(), entries, errors);
    print(
        result,
        page -> {
          errors.forEach(error -> page.line("could not be read: " + error));
          page.line(
              "Wrote "
                  + target
                  + " with "
                  + entries.size()
                  + " files. Names of your objects, addresses and policies are in it: look it"
                  + " through before you hand it on.");
        });
    return errors.isEmpty() ? ExitCode.OK : ExitCode.FINDINGS;
  }

  private static void entry(ZipOutputStream zip, String name, String content) throws IOException {
    zip.putNextEntry(new ZipEntry(name));
    zip.write(content.getBytes(StandardCharsets.UTF_8));
    zip.closeEntry();
  }

  private List<Part> parts() {
    Cluster cluster = cluster();
    String root = cluster.rootNamespace();
    List<Part> parts = new ArrayList<>();
    parts.add(new Part("versions.json", this::versions));
    OBJECTS.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(
            each ->
                parts.add(
                    new Part(
                        "objects/" + each.getKey() + ".json", () -> objects(each.getValue()))));
    OWN.entrySet().stream()
        .sorted(Map.Entry.comparingByKey())
        .forEach(
            each ->
                parts.add(
                    new Part(
                        root + "/" + each.getKey() + ".json",
                        () -> objects(Cluster.path(each.getValue(), each.getKey(), root)))));
    parts.add(
        new Part(
            "objects/events-of-ambit.json",
            () ->
                pretty(
                    cluster.list("/api/v1/events").stream()
                        .filter(ExplainCommand::isAmbits)
                        .toList())));
    for (JsonNode pod :
        cluster.list(
            "/api/v1", "pods", root, Cluster.labelSelector("app.kubernetes.io/part-of=ambit"))) {
      logs(parts, root, pod);
      if ("ambit-ztunnel".equals(Objects.labels(pod).get("app.kubernetes.io/name"))) {
        parts.add(dump(root, pod));
      }
    }
    List<WaypointStatus> waypoints =
        WaypointStatus.among(cluster.list(Cluster.GATEWAY_API, "gateways", null, ""));
    for (WaypointStatus waypoint : waypoints) {
      for (JsonNode pod :
          cluster.list(
              "/api/v1",
              "pods",
              waypoint.namespace(),
              Cluster.labelSelector("gateway.networking.k8s.io/gateway-name=" + waypoint.name()))) {
        logs(parts, waypoint.namespace(), pod);
        parts.add(dump(waypoint.namespace(), pod));
      }
    }
    return parts;
  }

  private String versions() {
    Cluster cluster = cluster();
    return Json.pretty(
        new VersionCommand.Versions(
            VersionCommand.own(),
            Runtime.version().toString(),
            cluster.get("/version").map(v -> Objects.text(v, "/gitVersion")).orElse(""),
            VersionCommand.components(cluster)));
  }

  private String objects(String path) {
    return pretty(cluster().list(path));
  }

  private static String pretty(List<JsonNode> objects) {
    return Json.pretty(objects.stream().map(Redaction::document).toList());
  }

  private void logs(List<Part> parts, String namespace, JsonNode pod) {
    String name = Objects.name(pod);
    for (JsonNode container : Objects.items(pod, "/spec/containers")) {
      String containerName = Objects.text(container, "/name");
      String path =
          "/api/v1/namespaces/"
              + namespace
              + "/pods/"
              + name
              + "/log?container="
              + containerName
              + "&timestamps=true&tailLines="
              + MOST_LOG_LINES;
      String file = namespace + "/logs/" + name + "-" + containerName;
      parts.add(
          new Part(
              file + ".log",
              () -> Redaction.text(cluster().text(path + "&sinceSeconds=" + since.toSeconds()))));
      boolean restarted =
          Objects.items(pod, "/status/containerStatuses").stream()
              .anyMatch(
                  status ->
                      Objects.text(status, "/name").equals(containerName)
                          && status.path("restartCount").asInt() > 0);
      if (restarted) {
        parts.add(
            new Part(
                file + "-previous.log",
                () -> Redaction.text(cluster().text(path + "&previous=true"))));
      }
    }
  }

  private Part dump(String namespace, JsonNode pod) {
    return new Part(
        namespace + "/dumps/" + Objects.name(pod) + ".json",
        () ->
            Json.pretty(
                Redaction.document(
                    Cluster.parse(
                        environment
                            .adminPort()
                            .get(
                                cluster().client(),
                                namespace,
                                Objects.name(pod),
                                "/config_dump")))));
  }
}
