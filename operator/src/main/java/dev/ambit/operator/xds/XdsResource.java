package dev.ambit.operator.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import dev.ambit.protocol.xds.Resource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * A resource as it goes out, encoded once for all streams. Its version is a hash of its content, so
 * that a client that comes back, to whichever replica, is sent only what differs.
 *
 * @param lookupKeys names besides its own under which a client may ask for it
 * @param ofClients what single clients are given in its place, by client; all of it has the same
 *     version, which tells of all
 */
public record XdsResource(
    Resource message, Set<String> lookupKeys, Map<String, Resource> ofClients) {

  /** Encodes a message. */
  public static XdsResource of(String name, XdsType type, Message content, Set<String> lookupKeys) {
    byte[] bytes = deterministic(content);
    return new XdsResource(
        resource(name, type, hash(bytes), bytes), Set.copyOf(lookupKeys), Map.of());
  }

  /** Encodes a message, and others for single clients, of which many may be the same. */
  public static XdsResource of(
      String name, XdsType type, Message content, Map<String, ? extends Message> ofClients) {
    if (ofClients.isEmpty()) {
      return of(name, type, content, Set.of());
    }
    byte[] bytes = deterministic(content);
    Map<Message, byte[]> encoded = new HashMap<>();
    StringBuilder all = new StringBuilder(hash(bytes));
    new TreeMap<>(ofClients)
        .forEach(
            (client, message) ->
                all.append('\n')
                    .append(client)
                    .append('=')
                    .append(hash(encoded.computeIfAbsent(message, XdsResource::deterministic))));
    String version = hash(all.toString().getBytes(StandardCharsets.UTF_8));
    Map<Message, Resource> resources = new HashMap<>();
    encoded.forEach((message, each) -> resources.put(message, resource(name, type, version, each)));
    Map<String, Resource> byClient = new HashMap<>();
    ofClients.forEach(
        (client, message) -> byClient.put(client, Objects.requireNonNull(resources.get(message))));
    return new XdsResource(resource(name, type, version, bytes), Set.of(), Map.copyOf(byClient));
  }

  private static Resource resource(String name, XdsType type, String version, byte[] bytes) {
    return Resource.newBuilder()
        .setName(name)
        .setVersion(version)
        .setResource(Any.newBuilder().setTypeUrl(type.url()).setValue(ByteString.copyFrom(bytes)))
        .build();
  }

  /** What a client is given. */
  Resource messageFor(String client) {
    return ofClients.getOrDefault(client, message);
  }

  public String name() {
    return message.getName();
  }

  public String version() {
    return message.getVersion();
  }

  /** Equal content has equal bytes, maps included. */
  private static byte[] deterministic(Message content) {
    byte[] bytes = new byte[content.getSerializedSize()];
    CodedOutputStream output = CodedOutputStream.newInstance(bytes);
    output.useDeterministicSerialization();
    try {
      content.writeTo(output);
    } catch (IOException e) {
      throw new UncheckedIOException("a buffer of the right size is too small", e);
    }
    return bytes;
  }

  private static String hash(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes), 0, 12);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("this Java runtime lacks SHA-256", e);
    }
  }
}
