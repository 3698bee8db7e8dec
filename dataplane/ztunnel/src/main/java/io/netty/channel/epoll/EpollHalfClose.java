package io.netty.channel.epoll;

import io.netty.channel.Channel;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Keeps a half-closed epoll channel usable.
 *
 * <p>Netty 4.2.18 takes a descriptor whose set of wanted events becomes empty out of epoll, but
 * goes on modifying it as if it were still in: {@code ENOENT}, and the channel is closed with what
 * it still had to write. A channel whose peer has ended its direction gets there: EPOLLRDHUP and
 * EPOLLIN are cleared, and the next write that has to wait for the socket sets EPOLLOUT. One flag
 * that always stays keeps the set from becoming empty; edge triggering is the one that costs
 * nothing, since after the end there is nothing more to read, and keeps EPOLLHUP from spinning.
 *
 * <p>It sits in Netty's package because {@code AbstractEpollChannel.setFlag} is not public.
 */
public final class EpollHalfClose {
  private EpollHalfClose() {}

  /**
   * To be called on {@code channel}'s event loop when its input has ended, before the next write.
   */
  public static void keepRegistered(Channel channel) {
    if (channel instanceof AbstractEpollChannel epoll && epoll.isOpen()) {
      try {
        epoll.setFlag(Native.EPOLLET);
      } catch (IOException | UncheckedIOException e) {
        channel.pipeline().fireExceptionCaught(e);
        channel.close();
      }
    }
  }
}
