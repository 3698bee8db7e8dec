package dev.ambit.operator;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** Calls what runs on nodes, all of them at the same time. */
public final class NodeCalls {
  private static final HttpClient HTTP =
      HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(8)).build();

  private NodeCalls() {}

  /** What to ask, of whom. */
  public record Call(String node, URI at) {}

  /**
   * What those answer to GET, by node: several where several of a node were asked. Where none of a
   * node answers 200, the node is missing.
   *
   * @param within how long each may take
   */
  public static Map<String, List<String>> get(Collection<Call> calls, Duration within) {
    Map<Call, CompletableFuture<HttpResponse<String>>> asked = new HashMap<>();
    for (Call call : calls) {
      asked.put(
          call,
          HTTP.sendAsync(
                  HttpRequest.newBuilder(call.at()).timeout(within).build(),
                  HttpResponse.BodyHandlers.ofString())
              // That one counts until the first byte alone.
              .orTimeout(2 * within.toMillis(), TimeUnit.MILLISECONDS));
    }
    Map<String, List<String>> answers = new HashMap<>();
    asked.forEach(
        (call, answer) -> {
          HttpResponse<String> response = answer.exceptionally(failure -> null).join();
          if (response != null && response.statusCode() == 200) {
            answers.computeIfAbsent(call.node(), node -> new ArrayList<>()).add(response.body());
          } else {
            answer.cancel(true);
          }
        });
    return answers;
  }
}
