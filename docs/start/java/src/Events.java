// Publishes events with keys and ids, joins a group, reads them, commits. Setup: see ../../java.md.
import static java.util.concurrent.TimeUnit.SECONDS;

import acta.v1.*;
import acta.v1.EventOuterClass.Event;
import acta.v1.PublisherOuterClass.*;
import acta.v1.SubscriberOuterClass.*;
import com.google.protobuf.ByteString;
import io.grpc.*;
import io.grpc.stub.StreamObserver;
import java.util.*;
import java.util.concurrent.*;

class Events {
  static final int COUNT = 10;
  // What arrives, in order; an error when it is called, null at the end.
  static final BlockingQueue<Callable<DeliveryFrame>> arrived = new LinkedBlockingQueue<>();
  static StreamObserver<SubscribeControl> stream;
  static long frameId = 0;

  static void publish(Channel channel, String topic) {
    try {
      TopicsGrpc.newBlockingStub(channel).withDeadlineAfter(30, SECONDS).createTopic(
          TopicsOuterClass.CreateTopicRequest.newBuilder()
              .setTopic(TopicsOuterClass.Topic.newBuilder().setName(topic)).build());
    } catch (StatusRuntimeException error) {
      if (error.getStatus().getCode() != Status.Code.ALREADY_EXISTS) throw error;
    }
    // The broker splits the batch by key; an event whose id it has seen is stored once.
    var events = PartitionBatch.newBuilder().setTopic(topic);
    for (int n = 0; n < COUNT; n++) {
      events.addEvents(Event.newBuilder().setId("order-" + n).setType("OrderPlaced")
          .setKey(ByteString.copyFromUtf8("customer-" + n % 3)).setSource("/docs/start")
          .setData(ByteString.copyFromUtf8("{\"number\": " + n + "}"))
          .setContentType("application/json"));
    }
    var batch = PublisherGrpc.newBlockingStub(channel).withDeadlineAfter(30, SECONDS)
        .publish(PublishFrame.newBuilder().addBatches(events).build()).getResults(0).getBatches(0);
    int stored = batch.getPartsList().stream().mapToInt(PublishedPart::getCount).sum();
    System.out.printf("published %d, duplicates %d%n", stored, batch.getDuplicatesCount());
  }

  // Control frames are numbered.
  static void say(SubscribeControl.Builder control) {
    stream.onNext(control.setFrameId(++frameId).build());
  }

  // A member says who it is, then commits what it has done.
  static int read(Channel channel, String topic) throws Exception {
    stream = SubscriberGrpc.newStub(channel).subscribe(new StreamObserver<DeliveryFrame>() {
      public void onNext(DeliveryFrame delivery) { arrived.add(() -> delivery); }
      public void onError(Throwable error) { arrived.add(() -> { throw (Exception) error; }); }
      public void onCompleted() { arrived.add(() -> null); }
    });
    say(SubscribeControl.newBuilder().setStart(SubscribeStart.newBuilder().setGroup("java")
        .setMode(GroupsOuterClass.GroupMode.GROUP_MODE_STREAM)
        .setCreateAt(GroupsOuterClass.StartPosition.newBuilder().setEarliest(true))
        .addTopics(TopicPosition.newBuilder().setTopic(topic))));
    var partitions = new HashMap<Long, Integer>();
    int received = 0;
    long committed = 0;
    while (true) {
      var next = arrived.poll(5, SECONDS);
      if (next == null) { // One that says nothing for 15 s is taken for dead.
        say(SubscribeControl.newBuilder().setTick(Tick.getDefaultInstance()));
        continue;
      }
      var delivery = next.call();
      if (delivery == null) return received;
      delivery.getAssignedList().forEach(a -> partitions.put(a.getAssignment(), a.getPartition()));
      for (var batch : delivery.getBatchesList()) {
        long offset = batch.getBaseOffset();
        for (var event : batch.getEventsList()) {
          System.out.printf("%d/%d %s %s %s%n", partitions.get(batch.getAssignment()), offset++,
              event.getKey().toStringUtf8(), event.getId(), event.getData().toStringUtf8());
        }
        received += batch.getEventsCount();
        say(SubscribeControl.newBuilder().setCommit(
            Commit.newBuilder().setAssignment(batch.getAssignment()).setOffset(offset)));
        committed = frameId;
      }
      if (received >= COUNT && delivery.getAckedThrough() >= committed) {
        stream.onCompleted(); // The broker finishes what is outstanding and ends.
      }
    }
  }

  public static void main(String[] args) throws Exception {
    // A connection that breaks without a word is noticed: the broker is asked every 30 s.
    var channel = Grpc.newChannelBuilder(
        System.getenv().getOrDefault("ACTA_SERVER", "127.0.0.1:7450"),
        InsecureChannelCredentials.create())
        .keepAliveTime(30, SECONDS).keepAliveTimeout(10, SECONDS).build();
    String topic = args.length > 0 ? args[0] : "orders";
    publish(channel, topic);
    System.out.printf("read and committed %d%n", read(channel, topic));
    channel.shutdownNow();
  }
}
