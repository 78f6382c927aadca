// Publishes events with keys and ids, joins a group, reads them, commits. Stubs: see ../../go.md.
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	pb "acta.example/worker/actav1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const count = 10

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func publish(conn *grpc.ClientConn, topic string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	create := &pb.CreateTopicRequest{Topic: &pb.Topic{Name: topic}}
	_, err := pb.NewTopicsClient(conn).CreateTopic(ctx, create)
	if err != nil && status.Code(err) != codes.AlreadyExists {
		log.Fatal(err)
	}
	// The broker splits the batch by key; an event whose id it has seen is stored once.
	batch := &pb.PartitionBatch{Topic: topic}
	for n := range count {
		batch.Events = append(batch.Events, &pb.Event{Id: fmt.Sprintf("order-%d", n),
			Key: fmt.Appendf(nil, "customer-%d", n%3), Type: "OrderPlaced", Source: "/docs/start",
			Data: fmt.Appendf(nil, `{"number": %d}`, n), ContentType: "application/json"})
	}
	frame := &pb.PublishFrame{Batches: []*pb.PartitionBatch{batch}}
	result := must(pb.NewPublisherClient(conn).Publish(ctx, frame)).Results[0].Batches[0]
	stored := int32(0)
	for _, part := range result.Parts {
		stored += part.Count
	}
	fmt.Printf("published %d, duplicates %d\n", stored, len(result.Duplicates))
}

// read is a member: it says who it is, then commits what it has done; control frames are numbered.
func read(conn *grpc.ClientConn, topic string) int {
	stream := must(pb.NewSubscriberClient(conn).Subscribe(context.Background()))
	frameID := uint64(0)
	send := func(control *pb.SubscribeControl) { // Where it fails, receiving says why.
		frameID++
		control.FrameId = frameID
		stream.Send(control)
	}
	send(&pb.SubscribeControl{Control: &pb.SubscribeControl_Start{Start: &pb.SubscribeStart{
		Group: "go", Mode: pb.GroupMode_GROUP_MODE_STREAM,
		CreateAt: &pb.StartPosition{At: &pb.StartPosition_Earliest{Earliest: true}},
		Topics:   []*pb.TopicPosition{{Topic: topic}}}}})
	deliveries := make(chan *pb.DeliveryFrame)
	go func() {
		defer close(deliveries)
		delivery, err := stream.Recv()
		for ; err == nil; delivery, err = stream.Recv() {
			deliveries <- delivery
		}
		if err != io.EOF {
			log.Fatal(err)
		}
	}()
	partitions, received, committed := map[uint64]*pb.Assigned{}, 0, uint64(0)
	for {
		select {
		case <-time.After(5 * time.Second): // A member that is silent for 15 s is taken for dead.
			send(&pb.SubscribeControl{Control: &pb.SubscribeControl_Tick{Tick: &pb.Tick{}}})
		case delivery, more := <-deliveries:
			if !more {
				return received
			}
			for _, a := range delivery.Assigned {
				partitions[a.Assignment] = a
			}
			for _, b := range delivery.Batches {
				next := b.BaseOffset
				for _, event := range b.Events {
					fmt.Printf("%d/%d %s %s %s\n", partitions[b.Assignment].Partition, next,
						event.Key, event.Id, event.Data)
					next++
				}
				received += len(b.Events)
				send(&pb.SubscribeControl{Control: &pb.SubscribeControl_Commit{
					Commit: &pb.Commit{Assignment: b.Assignment, Offset: next}}})
				committed = frameID
			}
			if received >= count && delivery.AckedThrough >= committed {
				stream.CloseSend() // The broker finishes what is outstanding and ends.
			}
		}
	}
}

func main() {
	// A connection that breaks without a word is noticed: the broker is asked every 30 s.
	conn := must(grpc.NewClient(cmp.Or(os.Getenv("ACTA_SERVER"), "127.0.0.1:7450"),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: 30 * time.Second, Timeout: 10 * time.Second})))
	topic := cmp.Or(append(os.Args, "orders")[1], "orders")
	publish(conn, topic)
	fmt.Printf("read and committed %d\n", read(conn, topic))
}
