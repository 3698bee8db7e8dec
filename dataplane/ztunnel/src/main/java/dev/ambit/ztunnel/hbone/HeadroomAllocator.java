package dev.ambit.ztunnel.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.UncheckedBooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Receive buffers with free bytes in front, in which a DATA frame's head is written where it
 * stands, so that an application's bytes become a frame without a copy or a second buffer. The
 * buffers grow fourfold when a read fills them and shrink after several small ones.
 */
public final class HeadroomAllocator implements RecvByteBufAllocator {
  private static final int MAX_READS = 4;
  private static final int SMALL_READS_TO_SHRINK = 4;

  private final int headroom;
  private final int smallest;
  private final int largest;

  private HeadroomAllocator(int headroom, int smallest, int largest) {
    this.headroom = headroom;
    this.smallest = smallest;
    this.largest = largest;
  }

  /** For sockets of applications, whose bytes go into a tunnel: 2 KiB to 512 KiB. */
  public static HeadroomAllocator forApplication() {
    return new HeadroomAllocator(Frames.HEAD_LENGTH, 2 << 10, 512 << 10);
  }

  /** For sockets of tunnels: 2 KiB to 512 KiB, no headroom. */
  public static HeadroomAllocator forTunnel() {
    return new HeadroomAllocator(0, 2 << 10, 512 << 10);
  }

  @SuppressWarnings("deprecation") // Netty's interface still declares the older return type
  @Override
  public Handle newHandle() {
    return new SizingHandle();
  }

  private final class SizingHandle implements ExtendedHandle {
    private int size = smallest;
    private int last;
    private int attempted;
    private int reads;
    private int smallReads;
    private @Nullable ChannelConfig config;

    @Override
    public ByteBuf allocate(ByteBufAllocator allocator) {
      // Power-of-two capacities: the pooled allocator then wastes nothing.
      return allocator.directBuffer(size, size).setIndex(headroom, headroom);
    }

    @Override
    public int guess() {
      return size - headroom;
    }

    @Override
    public void reset(ChannelConfig channelConfig) {
      config = channelConfig;
      reads = 0;
    }

    @Override
    public void incMessagesRead(int messages) {
      reads += messages;
    }

    @Override
    public void lastBytesRead(int bytes) {
      last = bytes;
      if (bytes > 0 && bytes >= attempted) {
        size = Math.min(largest, size << 2);
        smallReads = 0;
      } else if (bytes > 0 && bytes < size >> 3) {
        if (++smallReads >= SMALL_READS_TO_SHRINK) {
          size = Math.max(smallest, size >> 1);
          smallReads = 0;
        }
      } else {
        smallReads = 0;
      }
    }

    @Override
    public int lastBytesRead() {
      return last;
    }

    @Override
    public void attemptedBytesRead(int bytes) {
      attempted = bytes;
    }

    @Override
    public int attemptedBytesRead() {
      return attempted;
    }

    @Override
    public boolean continueReading() {
      return mayContinue() && last == attempted;
    }

    @Override
    public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
      return mayContinue() && maybeMoreData.get();
    }

    private boolean mayContinue() {
      return last > 0 && reads < MAX_READS && config != null && config.isAutoRead();
    }

    @Override
    public void readComplete() {}
  }
}
