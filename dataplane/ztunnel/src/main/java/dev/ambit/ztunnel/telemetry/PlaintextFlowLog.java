package dev.ambit.ztunnel.telemetry;

/** Enters plain flows of datagrams that are let in into the ledger, and passes all on. */
public final class PlaintextFlowLog implements FlowLog {
  private final FlowLog next;
  private final PlaintextLedger ledger;

  public PlaintextFlowLog(FlowLog next, PlaintextLedger ledger) {
    this.next = next;
    this.ledger = ledger;
  }

  @Override
  public OpenFlow opened(ConnectionInfo info) {
    return next.opened(info);
  }

  @Override
  public void letInPlain(ConnectionInfo info) {
    next.letInPlain(info);
    ledger.datagram(info);
  }

  @Override
  public void failed(ConnectionInfo info, String error, ResponseFlag flag) {
    next.failed(info, error, flag);
  }

  @Override
  public void dropped(ConnectionInfo info, DropReason reason, long count) {
    next.dropped(info, reason, count);
  }
}
