package dev.ambit.operator.mesh;

import java.util.Optional;

/** The root certificates that everyone in the mesh has to trust. */
public interface RootCertificates {
  /** All of them as PEM; nothing before the authority is loaded. */
  Optional<String> bundle();

  /** Calls back each time they have changed, until closed. */
  AutoCloseable onChange(Runnable listener);
}
