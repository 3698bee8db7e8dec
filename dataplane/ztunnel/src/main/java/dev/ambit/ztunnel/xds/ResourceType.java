package dev.ambit.ztunnel.xds;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import dev.ambit.ztunnel.state.InvalidResourceException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a kind of resource is called, how one is read, and where changes of it go.
 *
 * @param <T> the form in which they are kept
 */
public final class ResourceType<T> {
  private final String typeUrl;
  private final Reader<T> reader;
  private final Complaint<T> complaint;
  private final Sink<T> sink;

  /** Reads a resource. */
  public interface Reader<T> {
    /**
     * Reads the resource called {@code name}.
     *
     * @throws InvalidProtocolBufferException where it is malformed
     * @throws InvalidResourceException where it cannot be used
     */
    T read(String name, ByteString bytes) throws InvalidProtocolBufferException;
  }

  /** Says what of a resource that is used all the same was not understood. */
  public interface Complaint<T> {
    /** For the control plane; null where all was understood. */
    @Nullable String about(T resource);
  }

  /** Takes one response's changes. */
  public interface Sink<T> {
    void apply(List<T> changed, List<String> removed);
  }

  public ResourceType(String typeUrl, Reader<T> reader, Sink<T> sink) {
    this(typeUrl, reader, resource -> null, sink);
  }

  /**
   * @param complaint resources that it has something to say about are applied, and reported as
   *     rejected
   */
  public ResourceType(String typeUrl, Reader<T> reader, Complaint<T> complaint, Sink<T> sink) {
    this.typeUrl = typeUrl;
    this.reader = reader;
    this.complaint = complaint;
    this.sink = sink;
  }

  /** The type's URL. */
  public String typeUrl() {
    return typeUrl;
  }

  /** Starts taking in a response. */
  Batch<T> batch() {
    return new Batch<>(this);
  }

  /** One response on its way into the sink. */
  static final class Batch<T> {
    private final ResourceType<T> type;
    private final List<T> changed = new ArrayList<>();

    private Batch(ResourceType<T> type) {
      this.type = type;
    }

    void add(String name, ByteString bytes) throws InvalidProtocolBufferException {
      T resource = type.reader.read(name, bytes);
      changed.add(resource);
      String complaint = type.complaint.about(resource);
      if (complaint != null) {
        throw new InvalidResourceException(complaint);
      }
    }

    void apply(List<String> removed) {
      type.sink.apply(changed, removed);
    }
  }
}
