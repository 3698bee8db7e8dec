package dev.ambit.ztunnel.telemetry;

import org.jspecify.annotations.Nullable;

/** Enters what arrives in plain text into the ledger, and passes all on. */
public final class PlaintextConnectionLog implements ConnectionLog {
  private final ConnectionLog next;
  private final PlaintextLedger ledger;

  public PlaintextConnectionLog(ConnectionLog next, PlaintextLedger ledger) {
    this.next = next;
    this.ledger = ledger;
  }

  @Override
  public OpenConnection opened(ConnectionInfo info) {
    OpenConnection open = next.opened(info);
    if (info.reporter() != Reporter.DESTINATION || info.sourceIdentity() != null) {
      return open;
    }
    PlaintextLedger.Arrival arrival = ledger.arrived(info);
    return arrival == null ? open : new Entered(open, arrival);
  }

  @Override
  public void retried(ConnectionInfo info, String error, ResponseFlag flag) {
    next.retried(info, error, flag);
  }

  @Override
  public void failed(ConnectionInfo info, String error, ResponseFlag flag) {
    next.failed(info, error, flag);
  }

  @Override
  public void passedWaypoint(String namespace, String hostname, boolean letIn) {
    next.passedWaypoint(namespace, hostname, letIn);
  }

  @Override
  public void handshakeFailed(Reporter reporter, HandshakeFailure reason) {
    next.handshakeFailed(reporter, reason);
  }

  private static final class Entered implements OpenConnection {
    private final OpenConnection next;
    private final PlaintextLedger.Arrival arrival;
    private boolean over;

    Entered(OpenConnection next, PlaintextLedger.Arrival arrival) {
      this.next = next;
      this.arrival = arrival;
    }

    @Override
    public void progress(long sent, long received) {
      next.progress(sent, received);
      arrival.bytes(sent + received);
    }

    @Override
    public void closed(long sent, long received, @Nullable String error, ResponseFlag flag) {
      next.closed(sent, received, error, flag);
      if (!over) {
        over = true;
        arrival.bytes(sent + received);
        arrival.over();
      }
    }
  }
}
