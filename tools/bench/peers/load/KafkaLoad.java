import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * What Kafka's own tools cannot do.
 *
 *   topics ADDR FLUSH NAME...          topics of 16 partitions; FLUSH: flush.messages, 0: none
 *   latency ADDR TOPIC SIZE COUNT      one event in flight, COUNT more before as warm-up
 *   paced ADDR TOPIC SIZE RATE SECONDS from due to delivered; two fifths are warm-up
 */
final class KafkaLoad {
  private static final String BYTES = "org.apache.kafka.common.serialization.ByteArray";

  private static Properties properties(String address) {
    Properties all = new Properties();
    all.put("bootstrap.servers", address);
    return all;
  }

  private static KafkaProducer<byte[], byte[]> producer(String address, int lingerMs) {
    Properties all = properties(address);
    all.put("acks", "all");
    all.put("linger.ms", lingerMs);
    all.put("key.serializer", BYTES + "Serializer");
    all.put("value.serializer", BYTES + "Serializer");
    return new KafkaProducer<>(all);
  }

  /** Of all partitions, from their ends on. */
  private static KafkaConsumer<byte[], byte[]> consumer(String address, String topic) {
    Properties all = properties(address);
    all.put("key.deserializer", BYTES + "Deserializer");
    all.put("value.deserializer", BYTES + "Deserializer");
    KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(all);
    List<TopicPartition> partitions = new ArrayList<>();
    for (var one : consumer.partitionsFor(topic)) {
      partitions.add(new TopicPartition(topic, one.partition()));
    }
    consumer.assign(partitions);
    consumer.seekToEnd(partitions);
    for (TopicPartition one : partitions) consumer.position(one);
    return consumer;
  }

  private static void topics(String address, String flush, List<String> names) throws Exception {
    Map<String, String> configs = flush.equals("0") ? Map.of() : Map.of("flush.messages", flush);
    List<NewTopic> topics = new ArrayList<>();
    for (String name : names) topics.add(new NewTopic(name, 16, (short) 1).configs(configs));
    try (Admin admin = Admin.create(properties(address))) {
      admin.createTopics(topics).all().get();
    }
  }

  private static void latency(String address, String topic, int size, int count) throws Exception {
    Latencies latencies = new Latencies(2 * count);
    try (var producer = producer(address, 0)) {
      while (!latencies.full()) {
        long before = System.nanoTime();
        producer.send(new ProducerRecord<>(topic, new byte[size])).get();
        latencies.add(System.nanoTime() - before);
      }
    }
    latencies.print(count);
  }

  private static void paced(String address, String topic, int size, double rate, double seconds)
      throws Exception {
    int total = (int) (rate * seconds);
    Latencies latencies = new Latencies(total);
    long start = System.nanoTime() + 1_500_000_000L;
    try (var producer = producer(address, 1); var consumer = consumer(address, topic)) {
      Thread reader = new Thread(() -> {
        while (!latencies.full()) {
          for (var record : consumer.poll(Duration.ofMillis(100))) {
            long due = ByteBuffer.wrap(record.value()).getLong();
            latencies.add(System.nanoTime() - start - due);
          }
        }
      });
      reader.start();
      Latencies.pace(start, rate, total, i -> {
        byte[] value = new byte[size];
        ByteBuffer.wrap(value).putLong(Latencies.due(i, rate));
        producer.send(new ProducerRecord<>(topic, value));
      });
      reader.join();
    }
    latencies.print(total / 5 * 2);
  }

  public static void main(String[] words) throws Exception {
    String address = words[1];
    switch (words[0]) {
      case "topics" -> topics(address, words[2], List.of(words).subList(3, words.length));
      case "latency" ->
          latency(address, words[2], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
      case "paced" ->
          paced(address, words[2], Integer.parseInt(words[3]), Double.parseDouble(words[4]),
              Double.parseDouble(words[5]));
      default -> throw new IllegalArgumentException(words[0]);
    }
  }
}
