package dev.ambit.ztunnel.telemetry;

/** Hears of peers that are turned away for a revoked certificate. Called on event loops. */
public interface RevocationObserver {
  /** Hears nothing. */
  RevocationObserver NONE =
      new RevocationObserver() {
        @Override
        public void rejected(Reporter reporter) {}

        @Override
        public void untracked(Reporter reporter) {}
      };

  /** A tunnel was refused, or cut, since a certificate of its peer is revoked. */
  void rejected(Reporter reporter);

  /** A tunnel was cut since what its peer had shown is not known any more. */
  void untracked(Reporter reporter);
}
