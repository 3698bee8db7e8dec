package dev.ambit.ztunnel.dns;

import dev.ambit.ztunnel.state.HostAddresses.Known;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Finds what a pod means by a name: a service's own, one that a wildcard covers, and either of them
 * with one of the endings that Kubernetes has resolvers try.
 */
final class MeshNames {
  /** What the mesh knows by exact names. */
  interface Hosts {
    @Nullable Known lookup(String hostname, String namespace);
  }

  /**
   * What a name was found to mean.
   *
   * @param alias the name that the one asked for is another name of; null where it is none
   * @param known what it stands for
   */
  record Found(@Nullable String alias, Known known) {}

  private final Hosts hosts;
  private final String clusterDomain;

  MeshNames(Hosts hosts, String clusterDomain) {
    this.hosts = hosts;
    this.clusterDomain = clusterDomain.toLowerCase(Locale.ROOT);
  }

  /**
   * What {@code name} means to a pod of {@code namespace}; null where the mesh does not know it.
   *
   * @param name in lower case, without a dot at its end
   */
  @Nullable Found find(String name, String namespace) {
    Known known = lookup(name, namespace);
    if (known == null) {
      known = inCluster(name, namespace);
    }
    if (known != null) {
      return new Found(null, known);
    }
    String services = "svc." + clusterDomain;
    for (String ending : List.of(namespace + "." + services, services, clusterDomain)) {
      if (name.length() > ending.length() + 1 && name.endsWith("." + ending)) {
        String stripped = name.substring(0, name.length() - ending.length() - 1);
        known = hosts.lookup(stripped, namespace);
        if (known != null) {
          return new Found(stripped, known);
        }
        known = byWildcard(stripped, namespace);
        if (known != null) {
          return new Found(null, known);
        }
        known = stripped.endsWith(".svc") ? inCluster(stripped, namespace) : null;
        if (known != null) {
          return new Found(stripped, known);
        }
      }
    }
    return null;
  }

  private @Nullable Known lookup(String name, String namespace) {
    Known exact = hosts.lookup(name, namespace);
    return exact != null ? exact : byWildcard(name, namespace);
  }

  /** The wildcard with the longest ending wins. */
  private @Nullable Known byWildcard(String name, String namespace) {
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      Known known = hosts.lookup("*" + name.substring(dot), namespace);
      if (known != null) {
        return known;
      }
    }
    return null;
  }

  /**
   * Short forms that no public name can have, so that nothing outside the cluster is hidden. {@code
   * SERVICE.NAMESPACE} is not one of them: {@code web.dev} is also a name of the Internet.
   */
  private @Nullable Known inCluster(String name, String namespace) {
    List<String> forms = new ArrayList<>(1);
    if (name.indexOf('.') < 0) {
      forms.add(name + "." + namespace + ".svc." + clusterDomain);
    } else if (name.endsWith(".svc")) {
      forms.add(name + "." + clusterDomain);
    }
    for (String form : forms) {
      Known known = hosts.lookup(form, namespace);
      if (known != null) {
        return known;
      }
    }
    return null;
  }
}
