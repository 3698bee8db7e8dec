package dev.ambit.ztunnel.channel;

import io.netty.channel.unix.IntegerUnixChannelOption;

/** The mark of a socket, by which a pod's rules tell the ztunnel's own traffic. */
public final class SocketMark {
  private static final int SOL_SOCKET = 1;
  private static final int SO_MARK = 36;

  /** {@code SO_MARK}; setting it needs {@code NET_ADMIN}. */
  public static final IntegerUnixChannelOption OPTION =
      new IntegerUnixChannelOption("SO_MARK", SOL_SOCKET, SO_MARK);

  private SocketMark() {}
}
