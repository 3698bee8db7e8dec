package dev.ambit.operator.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import dev.ambit.protocol.xds.Resource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;

/**
 * A resource as it goes out, encoded once for all streams. Its version is a hash of its content, so
 * that a client that comes back, to whichever replica, is sent only what differs.
 *
 * @param lookupKeys names besides its own under which a client may ask for it
 */
public record XdsResource(Resource message, Set<String> lookupKeys) {

  /** Encodes a message. */
  public static XdsResource of(String name, XdsType type, Message content, Set<String> lookupKeys) {
    byte[] bytes = deterministic(content);
    return new XdsResource(
        Resource.newBuilder()
            .setName(name)
            .setVersion(hash(bytes))
            .setResource(
                Any.newBuilder().setTypeUrl(type.url()).setValue(ByteString.copyFrom(bytes)))
            .build(),
        Set.copyOf(lookupKeys));
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
