package dev.ambit.ztunnel.proxy;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;

/** Brings the outcome of something that may finish on any thread, or never, to an event loop. */
final class EventLoopAwait {
  private EventLoopAwait() {}

  /**
   * Calls exactly one of the two on {@code loop}, which is the calling thread's: at once where
   * {@code stage} is complete, else when it completes or {@code timeout} has passed.
   */
  static <T> void await(
      CompletionStage<T> stage,
      EventLoop loop,
      Duration timeout,
      Consumer<T> onSuccess,
      Consumer<Throwable> onFailure) {
    CompletableFuture<T> future = stage.toCompletableFuture();
    if (future.state() == java.util.concurrent.Future.State.SUCCESS) {
      onSuccess.accept(future.resultNow());
      return;
    }
    Once once = new Once();
    Future<?> timer =
        loop.schedule(
            () -> {
              if (once.first()) {
                onFailure.accept(
                    new TimeoutException("nothing within " + timeout.toMillis() + " ms"));
              }
            },
            timeout.toMillis(),
            TimeUnit.MILLISECONDS);
    future.whenComplete(
        (value, error) ->
            loop.execute(
                () -> {
                  if (once.first()) {
                    timer.cancel(false);
                    if (error == null) {
                      onSuccess.accept(value);
                    } else {
                      onFailure.accept(error);
                    }
                  }
                }));
  }

  /** Confined to the event loop. */
  private static final class Once {
    private boolean done;

    boolean first() {
      boolean first = !done;
      done = true;
      return first;
    }
  }
}
