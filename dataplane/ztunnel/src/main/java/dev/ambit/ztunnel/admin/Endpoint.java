package dev.ambit.ztunnel.admin;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Answers one path of an admin server, at once: called on the server's own thread. */
public interface Endpoint {
  /** Answers a request. */
  Reply reply(Request request);

  /** Answers one path after some time, from another thread. */
  interface Later {
    /** Answers a request; where it fails the caller learns only that. */
    CompletionStage<Reply> reply(Request request);
  }

  /**
   * What is asked for.
   *
   * @param query its parameters
   * @param accept its {@code Accept} headers
   */
  record Request(Map<String, List<String>> query, List<String> accept) {
    /** The first value of a parameter. */
    public @Nullable String parameter(String name) {
      List<String> values = query.get(name);
      return values == null || values.isEmpty() ? null : values.getFirst();
    }
  }

  /** An answer. */
  record Reply(int status, String contentType, Body body) {
    static final String TEXT = "text/plain; charset=utf-8";

    /** Plain text. */
    public static Reply text(int status, String text) {
      return new Reply(status, TEXT, new Body.Text(text));
    }

    /** Text of some kind. */
    public static Reply text(String contentType, String text) {
      return new Reply(200, contentType, new Body.Text(text));
    }

    /** JSON. */
    public static Reply json(String text) {
      return text("application/json", text);
    }

    /** A file to be kept by the caller under {@code name}; it is deleted here once it is sent. */
    public static Reply download(Path file, String name) {
      return new Reply(200, "application/octet-stream", new Body.File(file, name));
    }
  }

  /** What an answer says. */
  sealed interface Body {
    /** Text. */
    record Text(String text) implements Body {}

    /** A file that is deleted once it is sent. */
    record File(Path path, String name) implements Body {}
  }
}
