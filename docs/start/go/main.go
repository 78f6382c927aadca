// Leases events of a QUEUE group, processes them side by side and says what became of each. How to
// run it and what to know: ../go.md. What it does with an event: process.go.
package main

import (
	"cmp"
	"context"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	pb "acta.example/worker/actav1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Events it has at a time, each in a goroutine: no more than it processes within a lease (30 s).
const credit = 16

// worker belongs to one goroutine; those that process events send it outcomes.
type worker struct {
	client   pb.SubscriberClient
	held     map[place]*outcome // What it has; nil while it is processed.
	outcomes chan *outcome
	stream   grpc.BidiStreamingClient[pb.SubscribeControl, pb.DeliveryFrame]
	frameID  uint64
	handles  map[place]uint64 // On this stream, of topic and partition.
	places   map[uint64]place
}

// send fails when the stream is broken, which whoever receives is told too.
func (w *worker) send(control *pb.SubscribeControl) error {
	w.frameID++
	control.FrameId = w.frameID
	return w.stream.Send(control)
}

func (w *worker) take(ctx context.Context, frame *pb.DeliveryFrame) {
	for _, a := range frame.Assigned {
		w.handles[place{a.Topic, a.Partition, 0, 0}] = a.Assignment
		w.places[a.Assignment] = place{a.Topic, a.Partition, 0, a.Generation}
	}
	for _, batch := range frame.Batches {
		for i, event := range batch.Events {
			at := w.places[batch.Assignment]
			at.offset = batch.BaseOffset + int64(i)
			if len(batch.OffsetDeltas) > 0 {
				at.offset = batch.BaseOffset + int64(batch.OffsetDeltas[i])
			}
			if _, again := w.held[at]; again { // The lease it is processed under has ended.
				w.send(creditOf(event))
			} else if ctx.Err() == nil {
				w.held[at] = nil
				go func() { w.outcomes <- outcomeOf(ctx, at, event) }()
			}
		}
	}
	if len(frame.Errors)+len(frame.Gap) > 0 {
		log.Print(frame.Errors, frame.Gap)
	}
}

// tell settles what is processed, of partitions the stream has named: nothing of before a reset.
func (w *worker) tell() {
	for at, done := range w.held {
		handle := w.handles[place{at.topic, at.partition, 0, 0}]
		if done == nil || handle == 0 {
			continue
		}
		if done.settlement != nil {
			if at.resets == w.places[handle].resets && w.send(settleOf(done.settlement, handle)) != nil {
				return // It is told on the next stream.
			}
			w.send(done.credit)
		}
		delete(w.held, at)
	}
}

// join is a member until its stream ends.
func (w *worker) join(ctx context.Context, start *pb.SubscribeStart) error {
	stream, err := w.client.Subscribe(context.WithoutCancel(ctx)) // Leaving takes a while.
	if err != nil {
		return err
	}
	w.stream, w.frameID, w.handles, w.places = stream, 0, map[place]uint64{}, map[uint64]place{}
	start.Credit, start.Held = &pb.Credit{Events: max(1, credit-int64(len(w.held)))}, nil
	for at := range w.held {
		start.Held = append(start.Held, &pb.HeldEvents{
			Topic: at.topic, Partition: at.partition, Offset: at.offset, Generation: at.resets})
	}
	w.send(&pb.SubscribeControl{Control: &pb.SubscribeControl_Start{Start: start}})
	frames, ended := make(chan *pb.DeliveryFrame), make(chan error)
	go func() {
		frame, err := stream.Recv()
		for ; err == nil; frame, err = stream.Recv() {
			frames <- frame
		}
		ended <- err
	}()
	ticks := time.Tick(5 * time.Second) // A member that says nothing for 15 s is taken for dead.
	for leave := ctx.Done(); ; {
		select {
		case frame := <-frames:
			w.take(ctx, frame)
		case done := <-w.outcomes:
			w.held[done.at] = done
		case <-ticks:
			w.send(&pb.SubscribeControl{Control: &pb.SubscribeControl_Tick{Tick: &pb.Tick{}}})
		case <-leave:
			leave = nil
		case err := <-ended:
			return err
		}
		if w.tell(); leave == nil && len(w.held) == 0 {
			stream.CloseSend() // What is not settled is given back.
			ticks = nil
		}
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second one ends it at once.
	// Notices a connection that breaks without a word.
	alive := keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}
	retry := backoff.Config{BaseDelay: time.Second / 10, Multiplier: 2, MaxDelay: time.Second}
	conn, err := grpc.NewClient(cmp.Or(os.Getenv("ACTA_SERVER"), "127.0.0.1:7450"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithKeepaliveParams(alive),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: retry, MinConnectTimeout: time.Second}))
	if err != nil {
		log.Fatal(err)
	}
	topic, group := "jobs", "workers"
	if len(os.Args) == 3 {
		topic, group = os.Args[1], os.Args[2]
	}
	w := &worker{client: pb.NewSubscriberClient(conn), held: map[place]*outcome{},
		outcomes: make(chan *outcome)}
	start := &pb.SubscribeStart{Group: group, Mode: pb.GroupMode_GROUP_MODE_QUEUE,
		Topics:   []*pb.TopicPosition{{Topic: topic}},
		CreateAt: &pb.StartPosition{At: &pb.StartPosition_Earliest{Earliest: true}}}
	for ; ctx.Err() == nil; time.Sleep(time.Second / 2) {
		log.Print("the stream ended: ", w.join(ctx, start))
	}
}
