package dev.ambit.ztunnel.certificate;

import dev.ambit.ztunnel.identity.Identity;
import java.util.concurrent.CompletionStage;

/** Certificates of the identities that run on this node. Any thread may call it. */
public interface Certificates {
  /**
   * The identity's current certificate. Completes at once where a valid one is held, else when the
   * certificate authority has issued it, or exceptionally with the reason; later calls then ask
   * again. Ask per handshake: renewal replaces what this returns.
   */
  CompletionStage<TlsIdentity> get(Identity identity);
}
