package dev.ambit.ztunnel.channel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The projected service account token that calls carry. It is read anew for each call, since the
 * kubelet replaces it.
 */
public final class BearerToken {
  private final Optional<Path> file;

  private BearerToken(Optional<Path> file) {
    this.file = file;
  }

  /** A token that is kept in {@code file}. */
  public static BearerToken in(Path file) {
    return new BearerToken(Optional.of(file));
  }

  /** Calls go without a token. */
  public static BearerToken none() {
    return new BearerToken(Optional.empty());
  }

  /**
   * The value of the {@code authorization} header; empty where calls go without.
   *
   * @throws IOException where the file cannot be read or is empty
   */
  public Optional<String> header() throws IOException {
    if (file.isEmpty()) {
      return Optional.empty();
    }
    String token = Files.readString(file.get()).strip();
    if (token.isEmpty()) {
      throw new IOException("token file " + file.get() + " is empty");
    }
    return Optional.of("Bearer " + token);
  }
}
