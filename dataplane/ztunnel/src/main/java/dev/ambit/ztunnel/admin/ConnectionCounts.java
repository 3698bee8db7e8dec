package dev.ambit.ztunnel.admin;

import dev.ambit.ztunnel.json.JsonWriter;
import dev.ambit.ztunnel.zds.LiveConnection;
import dev.ambit.ztunnel.zds.PodStatus;
import java.util.Collection;
import java.util.TreeMap;

/** How many connections of each namespace's pods are open, as JSON. */
public final class ConnectionCounts {
  private long tunnelled;
  private long plain;

  private ConnectionCounts() {}

  /** Counts. */
  public static String write(Collection<PodStatus> pods) {
    TreeMap<String, ConnectionCounts> namespaces = new TreeMap<>();
    for (PodStatus status : pods) {
      ConnectionCounts counts =
          namespaces.computeIfAbsent(status.pod().namespace(), any -> new ConnectionCounts());
      for (LiveConnection connection : status.connections()) {
        if (connection.info().mutualTls()) {
          counts.tunnelled++;
        } else {
          counts.plain++;
        }
      }
    }
    StringBuilder out = new StringBuilder();
    JsonWriter json = new JsonWriter(out);
    json.beginObject().name("namespaces").beginArray();
    namespaces.forEach(
        (namespace, counts) ->
            json.beginObject()
                .field("namespace", namespace)
                .field("tunnelled", counts.tunnelled)
                .field("plain", counts.plain)
                .endObject());
    json.endArray().endObject();
    return out.append('\n').toString();
  }
}
