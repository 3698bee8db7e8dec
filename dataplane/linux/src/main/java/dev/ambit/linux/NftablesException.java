package dev.ambit.linux;

import java.io.IOException;

/** A ruleset that the kernel or libnftables refused, in libnftables' own words. */
public final class NftablesException extends IOException {
  private static final long serialVersionUID = 1L;

  NftablesException(String message) {
    super(message);
  }
}
