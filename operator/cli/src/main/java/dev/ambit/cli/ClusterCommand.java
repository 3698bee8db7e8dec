package dev.ambit.cli;

import dev.ambit.cli.output.Format;
import dev.ambit.cli.output.Page;
import dev.ambit.cli.output.ProgressBar;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What commands that ask a cluster have in common. */
abstract class ClusterCommand implements Callable<Integer> {
  static final String DEFAULT_ROOT_NAMESPACE = "ambit-system";

  final Environment environment;

  @Option(
      names = "--kubeconfig",
      paramLabel = "FILE",
      description = "The kubeconfig; by default as for kubectl: KUBECONFIG, then ~/.kube/config.")
  private @Nullable Path kubeconfig;

  @Option(
      names = "--context",
      paramLabel = "NAME",
      description = "Context of the kubeconfig, where it is not the current one.")
  private @Nullable String context;

  @Option(
      names = {"-n", "--namespace"},
      paramLabel = "NAMESPACE",
      description = "Namespace; by default the context's.")
  private @Nullable String namespace;

  @Option(
      names = "--ambit-namespace",
      paramLabel = "NAMESPACE",
      description = "Where Ambit is installed; by default $$AMBIT_NAMESPACE, then ambit-system.")
  private @Nullable String rootNamespace;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FORMAT",
      description = "How the result is written: table (default), json or yaml.")
  private Format format = Format.TABLE;

  private @Nullable Cluster cluster;

  ClusterCommand(Environment environment) {
    this.environment = environment;
  }

  /** Does what is asked, with the cluster; the answer is an {@link ExitCode}. */
  abstract int run();

  @Override
  public final Integer call() {
    try {
      return run();
    } finally {
      if (cluster != null) {
        cluster.close();
      }
    }
  }

  /** The cluster, which is connected to when it is first needed. */
  final Cluster cluster() {
    if (cluster == null) {
      cluster = Cluster.connect(environment, kubeconfig, context, rootNamespace());
    }
    return cluster;
  }

  /** Where Ambit is installed, or would be. */
  final String rootNamespace() {
    return rootNamespace == null
        ? environment.variable("AMBIT_NAMESPACE").orElse(DEFAULT_ROOT_NAMESPACE)
        : rootNamespace;
  }

  /** The namespace that is asked for, or none. */
  final @Nullable String askedNamespace() {
    return namespace;
  }

  /** The namespace that is asked for, or else the context's. */
  final String namespace() {
    return namespace != null ? namespace : cluster().namespace();
  }

  /** The namespace of an object that is named without one; no cluster is asked where it has one. */
  final String namespaceOf(String reference) {
    String[] parts = reference.split("/", -1);
    boolean qualified = parts.length > 2 || (parts.length == 2 && !parts[0].equals("pod"));
    return qualified ? "" : namespace();
  }

  final boolean forPeople() {
    return format == Format.TABLE;
  }

  /** Writes the result: the value itself for programs, and what the page is given for people. */
  final void print(Object value, Consumer<Page> people) {
    if (forPeople()) {
      Page page = new Page(environment.colour());
      people.accept(page);
      environment.out().print(page);
    } else {
      environment.out().print(format.write(value));
    }
    environment.out().flush();
  }

  /** What takes time is shown beside the result, so that programs are not given it. */
  final ProgressBar progressBar() {
    return new ProgressBar(environment.err(), environment.terminal(), environment.colour());
  }
}
