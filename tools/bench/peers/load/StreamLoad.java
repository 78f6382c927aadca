import com.rabbitmq.stream.Address;
import com.rabbitmq.stream.ByteCapacity;
import com.rabbitmq.stream.ConfirmationHandler;
import com.rabbitmq.stream.Consumer;
import com.rabbitmq.stream.ConsumerFlowStrategy;
import com.rabbitmq.stream.Environment;
import com.rabbitmq.stream.MessageHandler;
import com.rabbitmq.stream.OffsetSpecification;
import com.rabbitmq.stream.Producer;
import com.rabbitmq.stream.ProducerBuilder;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Load of a RabbitMQ stream by the vendor's client; a stream is made when there is none.
 *
 *   publish PORT STREAM SIZE PACK WARM_UP SECONDS   as much as it takes; PACK events in one entry
 *   consume PORT STREAM SIZE PACK WARM_UP SECONDS   the same with a consumer: the slower counts
 *   read PORT STREAM EVENTS                         that many, twice: the second time counts
 *   latency PORT STREAM SIZE COUNT                  one event in flight, COUNT before as warm-up
 *   paced PORT STREAM SIZE RATE SECONDS             from due to delivered; two fifths are warm-up
 */
final class StreamLoad {
  private static final int UNCONFIRMED = 50_000;
  private final Environment environment;
  private final String stream;

  private StreamLoad(int port, String stream) {
    this.stream = stream;
    environment = Environment.builder()
        .uri("rabbitmq-stream://guest:guest@127.0.0.1:" + port)
        .addressResolver(asked -> new Address("127.0.0.1", port))
        .maxProducersByConnection(1).maxConsumersByConnection(1).build();
    if (!environment.streamExists(stream)) {
      environment.streamCreator().stream(stream).maxLengthBytes(ByteCapacity.GB(40)).create();
    }
  }

  private Consumer consume(MessageHandler handler) {
    return environment.consumerBuilder().stream(stream).offset(OffsetSpecification.first())
        .flow().initialCredits(10).strategy(ConsumerFlowStrategy.creditOnChunkArrival(10))
        .builder().messageHandler(handler).build();
  }

  private ProducerBuilder producer() {
    return environment.producerBuilder().stream(stream).confirmTimeout(Duration.ofSeconds(60))
        .maxUnconfirmedMessages(UNCONFIRMED);
  }

  private static void send(Producer producer, byte[] body, ConfirmationHandler handler) {
    producer.send(producer.messageBuilder().addData(body).build(), handler);
  }

  private static void await(AtomicLong counter, long value) throws Exception {
    long end = System.nanoTime() + 60_000_000_000L;
    while (counter.get() < value) {
      if (System.nanoTime() > end) throw new IllegalStateException("not everything arrived");
      Thread.sleep(1);
    }
  }

  private void throughput(boolean read, int size, int pack, double warmUp, double seconds)
      throws Exception {
    AtomicLong confirmed = new AtomicLong(), consumed = new AtomicLong();
    if (read) consume((context, message) -> consumed.incrementAndGet());
    ProducerBuilder builder = producer().batchSize(pack > 1 ? 100 : 1000);
    if (pack > 1) builder.subEntrySize(pack);
    Producer producer = builder.build();
    byte[] body = new byte[size];
    ConfirmationHandler handler = status -> confirmed.incrementAndGet();
    long begin = System.nanoTime() + (long) (warmUp * 1e9), end = begin + (long) (seconds * 1e9);
    long sent = 0, confirmedAtBegin = -1, consumedAtBegin = 0, now = 0, began = 0;
    do {
      for (int i = 0; i < 1000; i++) send(producer, body, handler);
      sent += 1000;
      now = System.nanoTime();
      if (confirmedAtBegin < 0 && now >= begin) {
        confirmedAtBegin = confirmed.get();
        consumedAtBegin = consumed.get();
        began = now;
      }
    } while (now < end);
    double took = (now - began) / 1e9;
    double rate = (confirmed.get() - confirmedAtBegin) / took;
    if (read) rate = Math.min(rate, (consumed.get() - consumedAtBegin) / took);
    await(confirmed, sent);
    if (read) await(consumed, sent);
    System.out.printf(Locale.ROOT, "{\"events\": %d, \"per_second\": %.0f}%n", sent, rate);
  }

  /** Events a second. */
  private double readOnce(long events) throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    AtomicLong read = new AtomicLong();
    long before = System.nanoTime();
    try (Consumer consumer = consume((context, message) -> {
      if (read.incrementAndGet() == events) over.countDown();
    })) {
      over.await();
      return events / ((System.nanoTime() - before) / 1e9);
    }
  }

  private void latency(int size, int count) throws Exception {
    Latencies latencies = new Latencies(2 * count);
    Producer producer = producer().batchPublishingDelay(Duration.ZERO).batchSize(1).build();
    Semaphore answered = new Semaphore(0);
    while (!latencies.full()) {
      long before = System.nanoTime();
      send(producer, new byte[size], status -> answered.release());
      answered.acquire();
      latencies.add(System.nanoTime() - before);
    }
    latencies.print(count);
  }

  private void paced(int size, double rate, double seconds) throws Exception {
    int total = (int) (rate * seconds);
    Latencies latencies = new Latencies(total);
    Producer producer = producer().batchPublishingDelay(Duration.ofMillis(1)).build();
    CountDownLatch over = new CountDownLatch(1);
    long start = System.nanoTime() + 1_000_000_000L;
    consume((context, message) -> {
      long due = ByteBuffer.wrap(message.getBodyAsBinary()).getLong();
      latencies.add(System.nanoTime() - start - due);
      if (latencies.full()) over.countDown();
    });
    Latencies.pace(start, rate, total, i -> {
      byte[] body = new byte[size];
      ByteBuffer.wrap(body).putLong(Latencies.due(i, rate));
      send(producer, body, status -> {});
    });
    over.await();
    latencies.print(total / 5 * 2);
  }

  public static void main(String[] words) throws Exception {
    StreamLoad load = new StreamLoad(Integer.parseInt(words[1]), words[2]);
    double[] numbers = new double[words.length];
    for (int i = 3; i < words.length; i++) numbers[i] = Double.parseDouble(words[i]);
    int size = words.length > 3 ? (int) numbers[3] : 0;
    switch (words[0]) {
      case "publish", "consume" ->
          load.throughput(words[0].equals("consume"), size, (int) numbers[4], numbers[5],
              numbers[6]);
      case "read" -> {
        load.readOnce((long) numbers[3]);
        double rate = load.readOnce((long) numbers[3]);
        System.out.printf(Locale.ROOT, "{\"events\": %.0f, \"per_second\": %.0f}%n",
            2 * numbers[3], rate);
      }
      case "latency" -> load.latency(size, (int) numbers[4]);
      case "paced" -> load.paced(size, numbers[4], numbers[5]);
      default -> throw new IllegalArgumentException(words[0]);
    }
    load.environment.close();
    System.exit(0);  // The client's threads are no daemons.
  }
}
