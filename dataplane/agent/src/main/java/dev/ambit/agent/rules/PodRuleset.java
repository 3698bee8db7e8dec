package dev.ambit.agent.rules;

/**
 * What the table {@code inet ambit} of a pod's network namespace contains, for IPv4 and IPv6 alike.
 *
 * <p>The ztunnel marks its own sockets' packets with {@value #ZTUNNEL_MARK}. Where such a packet
 * comes in through the loopback it belongs to a connection that the ztunnel opened to the
 * application from the original client's address; its replies are marked {@value #REPLY_MARK} and
 * so routed back to the ztunnel rather than to the client. Only a connection's first packet is
 * redirected: what was open before the rules came stays as it was.
 */
public enum PodRuleset {
  /** New connections go to the ztunnel. */
  CAPTURED {
    @Override
    String redirectInbound() {
      return """
          iif "lo" accept
          ip saddr %s accept
          ip6 saddr %s accept
          tcp dport != %d tcp flags & (fin | syn | rst | ack) == syn meta mark & %s != %s redirect to :%d
      """
          .formatted(
              ProbeAddress.IPV4,
              ProbeAddress.IPV6,
              HBONE_PORT,
              MARK_MASK,
              ZTUNNEL_MARK,
              INBOUND_PORT);
    }

    @Override
    String redirectOutbound() {
      return """
          oif "lo" accept
          ip daddr %s accept
          ip6 daddr %s accept
          meta mark & %s == %s accept
          tcp flags & (fin | syn | rst | ack) == syn meta mark & %s != %s redirect to :%d
      """
          .formatted(
              ProbeAddress.IPV4,
              ProbeAddress.IPV6,
              MARK_MASK,
              REPLY_MARK,
              MARK_MASK,
              ZTUNNEL_MARK,
              OUTBOUND_PORT);
    }
  },

  /**
   * New connections pass as if there were no mesh. The chains stay, since without them the kernel
   * would no longer translate the addresses of connections that were redirected.
   */
  DRAINING {
    @Override
    String redirectInbound() {
      return "";
    }

    @Override
    String redirectOutbound() {
      return "";
    }
  };

  /** Where the ztunnel takes connections that the pod opens. */
  public static final int OUTBOUND_PORT = 15001;

  /** Where the ztunnel takes connections to the pod that are not in a tunnel. */
  public static final int INBOUND_PORT = 15006;

  /** Where the ztunnel takes tunnels. */
  public static final int HBONE_PORT = 15008;

  static final String TABLE = "ambit";
  static final String ZTUNNEL_MARK = "0x539";
  static final String REPLY_MARK = "0x111";
  static final String MARK_MASK = "0xfff";

  abstract String redirectInbound();

  abstract String redirectOutbound();

  /** The commands that bring the table to this content from any other, as one transaction. */
  public String commands() {
    // Flushed rather than deleted: a chain that is gone for a moment would take translations along.
    return """
    add table inet %1$s
    flush table inet %1$s
    table inet %1$s {
      chain mark_inbound {
        type filter hook prerouting priority mangle; policy accept;
        meta mark & %2$s == %3$s ct mark set ct mark & 0xfffff000 | %4$s
      }
      chain restore_mark {
        type route hook output priority mangle; policy accept;
        ct mark & %2$s == %4$s meta mark set ct mark
      }
      chain redirect_inbound {
        type nat hook prerouting priority dstnat; policy accept;
    %5$s  }
      chain redirect_outbound {
        type nat hook output priority -100; policy accept;
    %6$s  }
    }
    """
        .formatted(
            TABLE, MARK_MASK, ZTUNNEL_MARK, REPLY_MARK, redirectInbound(), redirectOutbound());
  }
}
