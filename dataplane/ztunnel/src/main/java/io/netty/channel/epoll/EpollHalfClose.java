package io.netty.channel.epoll;

import io.netty.channel.Channel;
import java.io.IOException;
import java.io.UncheckedIOException;

/**
 * Keeps an epoll channel usable that is not read for a while, or whose input has ended.
 *
 * <p>Netty 4.2.18 takes a descriptor whose set of wanted events becomes empty out of epoll, but
 * goes on modifying it as if it were still in: {@code ENOENT}, and the channel is closed with what
 * it still had to write. One flag that always stays keeps the set from becoming empty.
 *
 * <p>It sits in Netty's package because {@code AbstractEpollChannel.setFlag} is not public.
 */
public final class EpollHalfClose {
  private EpollHalfClose() {}

  /**
   * For a new channel, before reading from it is ever turned off. EPOLLRDHUP, which else stays,
   * goes when the peer ends its direction, and also where one batch of events closes a descriptor,
   * gives its number to a connection that is accepted, and then still has an event of the old one:
   * the new channel takes it for its own. EPOLLERR is reported whether it is wanted or not.
   */
  public static void keepRegistered(Channel channel) {
    setFlag(channel, Native.EPOLLERR);
  }

  /**
   * To be called on {@code channel}'s event loop when its input has ended, before the next write:
   * with edge triggering, which costs nothing as there is nothing more to read, EPOLLHUP does not
   * spin.
   */
  public static void inputEnded(Channel channel) {
    setFlag(channel, Native.EPOLLET);
  }

  private static void setFlag(Channel channel, int flag) {
    if (channel instanceof AbstractEpollChannel epoll && epoll.isOpen()) {
      try {
        epoll.setFlag(flag);
      } catch (IOException | UncheckedIOException e) {
        channel.pipeline().fireExceptionCaught(e);
        channel.close();
      }
    }
  }
}
