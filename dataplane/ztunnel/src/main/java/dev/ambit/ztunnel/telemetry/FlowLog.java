package dev.ambit.ztunnel.telemetry;

/** Where flows of datagrams are reported. Any thread may call it, and no call blocks. */
public interface FlowLog {
  /** A flow is open. */
  OpenFlow opened(ConnectionInfo info);

  /** The first datagram of a plain flow to a pod was judged and let in; it is not followed. */
  default void letInPlain(ConnectionInfo info) {}

  /** A flow was refused, or could not be opened. */
  void failed(ConnectionInfo info, String error, ResponseFlag flag);

  /** Datagrams of no open flow were dropped. */
  void dropped(ConnectionInfo info, DropReason reason, long count);
}
