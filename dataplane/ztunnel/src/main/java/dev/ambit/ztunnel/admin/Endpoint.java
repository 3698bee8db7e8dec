package dev.ambit.ztunnel.admin;

import java.util.List;
import java.util.Map;

/** Answers one path of an admin server. Called on the server's own thread; may take its time. */
public interface Endpoint {
  /** Answers a request with the given query parameters. */
  Reply reply(Map<String, List<String>> query);

  /** An answer. */
  record Reply(int status, String contentType, String body) {
    static final String TEXT = "text/plain; charset=utf-8";

    /** Plain text. */
    public static Reply text(int status, String body) {
      return new Reply(status, TEXT, body);
    }

    /** JSON. */
    public static Reply json(String body) {
      return new Reply(200, "application/json", body);
    }
  }
}
