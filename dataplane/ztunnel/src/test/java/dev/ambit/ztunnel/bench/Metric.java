package dev.ambit.ztunnel.bench;

/** What is measured. Processors' time and memory of connections are of both nodes' proxies. */
enum Metric {
  REQUESTS_1("1 connection", "requests/s", new Goal.AtLeastPeers(1.0)),
  REQUESTS_1_P50("1 connection, median", "µs", new Goal.None()),
  REQUESTS_1_P99("1 connection, p99", "µs", new Goal.AtMostPeers(1.0)),
  REQUESTS_1_CPU("1 connection, CPU a request", "µs", new Goal.None()),
  REQUESTS_64("64 connections", "requests/s", new Goal.AtLeastPeers(1.6)),
  REQUESTS_64_P50("64 connections, median", "µs", new Goal.None()),
  REQUESTS_64_P99("64 connections, p99", "µs", new Goal.AtMostPeers(1.0)),
  REQUESTS_64_CPU("64 connections, CPU a request", "µs", new Goal.None()),
  CONNECTIONS("a connection for each request", "connections/s", new Goal.AtLeastPeers(1.2)),
  CONNECTIONS_P99("a connection for each request, p99", "µs", new Goal.AtMostPeers(1.0)),
  CONNECTIONS_CPU("CPU a connection", "µs", new Goal.None()),
  STREAM_1("1 stream", "Gbit/s", new Goal.AtLeastPeers(1.1)),
  STREAM_1_CPU("1 stream, CPU a GB", "s", new Goal.None()),
  STREAM_1_REVERSE("1 stream back", "Gbit/s", new Goal.AtLeastPeers(1.1)),
  STREAM_1_REVERSE_CPU("1 stream back, CPU a GB", "s", new Goal.None()),
  STREAM_8("8 streams", "Gbit/s", new Goal.AtLeastPeers(1.1)),
  STREAM_8_CPU("8 streams, CPU a GB", "s", new Goal.None()),
  STREAM_8_REVERSE("8 streams back", "Gbit/s", new Goal.AtLeastPeers(1.1)),
  STREAM_8_REVERSE_CPU("8 streams back, CPU a GB", "s", new Goal.None()),
  STEADY_P50("1,000 requests/s, median", "µs", new Goal.None()),
  STEADY_P99("1,000 requests/s, p99", "µs", new Goal.AtMostPeers(1.0)),
  STEADY_CPU("1,000 requests/s, CPU", "cores", new Goal.None()),
  COLD_P50("1,000 requests/s at once after the start, median", "µs", new Goal.None()),
  COLD_P99("1,000 requests/s at once after the start, p99", "µs", new Goal.AtMostPeers(2.0)),
  START("start to ready", "ms", new Goal.AtMost(1000)),
  IDLE_RSS("memory of an idle process (RSS)", "MiB", new Goal.AtMost(80)),
  IDLE_PSS("memory of an idle process (PSS)", "MiB", new Goal.None()),
  LOADED_RSS("memory of a process after the load (RSS)", "MiB", new Goal.None()),
  IDLE_CONNECTION("memory of an idle connection", "KiB", new Goal.None()),
  UDP_RATE("UDP of one sender, 1,400 bytes", "datagrams/s", new Goal.AtLeastDirect(0.5)),
  UDP_SPEED("the same", "Gbit/s", new Goal.None()),
  UDP_CPU("the same, CPU a million datagrams", "s", new Goal.None()),
  UDP_LOSS("UDP at half of that rate, loss", "%", new Goal.AtMost(0)),
  UDP_LOSS_CPU("the same, CPU a million datagrams", "s", new Goal.None()),
  UDP_P50("UDP round trip at 1,000 datagrams/s, median", "µs", new Goal.None()),
  UDP_P99("the same, p99", "µs", new Goal.AtMostAdded(500)),
  UDP_LATE("the same, without an answer", "%", new Goal.None()),
  UDP_STEADY_CPU("the same, CPU a million round trips", "s", new Goal.None()),
  UDP_OUTSIDE(
      "UDP of one sender to a destination outside the mesh, 1,400 bytes",
      "datagrams/s",
      new Goal.AtLeastDirect(0.95)),
  TCP_SPEED("1 TCP stream through the same tunnel", "Gbit/s", new Goal.None()),
  TCP_CPU("the same, CPU a million times 1,400 bytes", "s", new Goal.None()),
  TCP_P50("TCP round trip at 1,000/s through the same tunnel, median", "µs", new Goal.None()),
  TCP_P99("the same, p99", "µs", new Goal.None()),
  LARGE_START("start to ready with 100,000 workloads", "ms", new Goal.None()),
  LARGE_RSS("memory with 100,000 workloads (RSS)", "MiB", new Goal.None()),
  LARGE_PSS("memory with 100,000 workloads (PSS)", "MiB", new Goal.None()),
  LARGE_CHANGE("a moved endpoint in use, of 100,000 workloads", "ms", new Goal.None()),
  LARGE_CHANGE_MAX("the same, slowest", "ms", new Goal.None());

  private final String title;
  private final String unit;
  private final Goal goal;

  Metric(String title, String unit, Goal goal) {
    this.title = title;
    this.unit = unit;
    this.goal = goal;
  }

  String title() {
    return title;
  }

  String unit() {
    return unit;
  }

  Goal goal() {
    return goal;
  }

  /** Whether more of it is better. */
  boolean moreIsBetter() {
    return unit.endsWith("/s");
  }
}
