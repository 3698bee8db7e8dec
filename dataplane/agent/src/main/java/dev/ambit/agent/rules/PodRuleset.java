package dev.ambit.agent.rules;

/**
 * What the table {@code inet ambit} of a pod's network namespace contains, for IPv4 and IPv6 alike.
 *
 * <p>The ztunnel marks its own sockets' packets with {@value #ZTUNNEL_MARK}. Where such a packet
 * comes in through the loopback it belongs to a connection that the ztunnel opened to the
 * application from the original client's address; its replies are marked {@value #REPLY_MARK} and
 * so routed back to the ztunnel rather than to the client. Only a connection's first packet is
 * redirected: what was open before the rules came stays as it was.
 *
 * <p>Redirected DNS over UDP is tracked in a zone of its own. So a socket that has asked before
 * rules came or went is redirected, or no longer, from its next question on, and the ztunnel's own
 * questions never meet what the kernel remembers of the application's.
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
      return passingOutbound() + connectionsOutbound();
    }

    @Override
    String separateDns() {
      return "";
    }
  },

  /** New connections go to the ztunnel, and questions to DNS servers to its DNS proxy. */
  CAPTURED_WITH_DNS {
    @Override
    String redirectInbound() {
      return CAPTURED.redirectInbound();
    }

    @Override
    String redirectOutbound() {
      return passingOutbound()
          + """
                %1$s redirect to :%5$d
                tcp dport %2$d tcp flags & (fin | syn | rst | ack) == syn meta mark & %3$s != %4$s redirect to :%5$d
            """
              .formatted(DNS_QUESTION, DNS, MARK_MASK, ZTUNNEL_MARK, DNS_PORT)
          + connectionsOutbound();
    }

    @Override
    String separateDns() {
      return """
          oif != "lo" %s ct zone set %d
      """
          .formatted(DNS_QUESTION, DNS_ZONE);
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

    @Override
    String separateDns() {
      return "";
    }
  };

  /** Where the ztunnel takes connections that the pod opens. */
  public static final int OUTBOUND_PORT = 15001;

  /** Where the ztunnel takes connections to the pod that are not in a tunnel. */
  public static final int INBOUND_PORT = 15006;

  /** Where the ztunnel takes tunnels. */
  public static final int HBONE_PORT = 15008;

  /** Where the ztunnel answers DNS, over UDP and TCP, at the loopback. */
  public static final int DNS_PORT = 15053;

  /** The connection tracking zone of redirected DNS over UDP. */
  public static final int DNS_ZONE = 1;

  static final String TABLE = "ambit";
  static final String ZTUNNEL_MARK = "0x539";
  static final String REPLY_MARK = "0x111";
  static final String MARK_MASK = "0xfff";

  private static final int DNS = 53;

  /** From port 53 a DNS server answers another one; that is no question. */
  private static final String DNS_QUESTION =
      "udp dport %d udp sport != %d meta mark & %s != %s"
          .formatted(DNS, DNS, MARK_MASK, ZTUNNEL_MARK);

  abstract String redirectInbound();

  abstract String redirectOutbound();

  abstract String separateDns();

  private static String passingOutbound() {
    return """
        oif "lo" accept
        ip daddr %s accept
        ip6 daddr %s accept
        meta mark & %s == %s accept
    """
        .formatted(ProbeAddress.IPV4, ProbeAddress.IPV6, MARK_MASK, REPLY_MARK);
  }

  private static String connectionsOutbound() {
    return """
        tcp flags & (fin | syn | rst | ack) == syn meta mark & %s != %s redirect to :%d
    """
        .formatted(MARK_MASK, ZTUNNEL_MARK, OUTBOUND_PORT);
  }

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
      chain separate_dns {
        type filter hook output priority raw; policy accept;
    %7$s    oif "lo" udp sport %8$d ct zone set %9$d
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
            TABLE,
            MARK_MASK,
            ZTUNNEL_MARK,
            REPLY_MARK,
            redirectInbound(),
            redirectOutbound(),
            separateDns(),
            DNS_PORT,
            DNS_ZONE);
  }
}
