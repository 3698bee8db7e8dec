package dev.ambit.ztunnel.bench;

/** What a round consists of; {@code STEPS} chooses some of them. */
enum Step {
  /** Start-up and memory of fresh processes, without and with idle connections. */
  IDLE,
  /** Requests at a steady rate right after the start. */
  COLD,
  /** Requests on one connection, as fast as they go. */
  REQUESTS_1,
  /** Requests on 64 connections, as fast as they go. */
  REQUESTS_64,
  /** A connection for each request. */
  CONNECTIONS,
  /** One TCP stream, there and back. */
  STREAM_1,
  /** Eight TCP streams, there and back. */
  STREAM_8,
  /** Requests at a steady rate after the warm-up. */
  STEADY,
  /** Datagrams, by ztunnels of their own that carry UDP, and TCP through the same tunnel. */
  UDP,
  /** A mesh of 100,000 workloads. */
  LARGE;

  /** Whether it is done with processes that are warm. */
  boolean isWarm() {
    return switch (this) {
      case IDLE, COLD, UDP, LARGE -> false;
      case REQUESTS_1, REQUESTS_64, CONNECTIONS, STREAM_1, STREAM_8, STEADY -> true;
    };
  }
}
