package dev.ambit.ztunnel.state;

/** A service's name across the mesh, written {@code namespace/hostname}. */
public record ServiceKey(String namespace, String hostname) {
  /**
   * Reads {@code namespace/hostname}.
   *
   * @throws InvalidResourceException where {@code key} is of another form
   */
  public static ServiceKey parse(String key) {
    int slash = key.indexOf('/');
    if (slash <= 0 || slash == key.length() - 1 || key.indexOf('/', slash + 1) >= 0) {
      throw new InvalidResourceException("service '" + key + "' is not of the form NAMESPACE/HOST");
    }
    return new ServiceKey(
        Protos.shared(key.substring(0, slash)), Protos.shared(key.substring(slash + 1)));
  }

  @Override
  public String toString() {
    return namespace + "/" + hostname;
  }
}
