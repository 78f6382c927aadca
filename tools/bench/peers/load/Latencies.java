import java.util.Arrays;
import java.util.Locale;
import java.util.function.IntConsumer;

/** Nanoseconds of single events, and the open-loop schedule they belong to. One writer. */
final class Latencies {
  private final long[] nanos;
  private int count = 0;

  Latencies(int capacity) {
    nanos = new long[capacity];
  }

  /** More than the capacity are forgotten. */
  void add(long latency) {
    if (count < nanos.length) nanos[count++] = latency;
  }

  boolean full() {
    return count == nanos.length;
  }

  /** One line of JSON; the first `skip` (warm-up) do not count. */
  void print(int skip) {
    Arrays.sort(nanos, skip, count);
    int last = count - 1 - skip;
    System.out.printf(Locale.ROOT, "{\"events\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f}%n", count,
        nanos[skip + last / 2] / 1e3, nanos[skip + (int) (last * 0.99)] / 1e3);
  }

  /** Calls `send` for event after event when each is due, `rate` a second from `start` on. */
  static void pace(long start, double rate, int total, IntConsumer send) throws Exception {
    for (int i = 0; i < total; ) {
      int due = (int) Math.min(total, (System.nanoTime() - start) * rate / 1e9);
      for (; i < due; i++) send.accept(i);
      Thread.sleep(0, 100_000);
    }
  }

  /** When event `i` of that schedule is due, in nanoseconds after its start. */
  static long due(int i, double rate) {
    return (long) (i * 1e9 / rate);
  }
}
