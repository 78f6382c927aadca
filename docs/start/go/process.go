package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	pb "acta.example/worker/actav1"
	"google.golang.org/protobuf/proto"
)

// never wraps what no further attempt mends: the event becomes a dead letter.
type never struct{ error }

// process is yours. nil: done. never: never again. Any other error: again, later. ctx ends when the
// worker leaves: an event for which its error is returned is given back, and no attempt is counted.
func process(ctx context.Context, event *pb.Event) error {
	var job struct {
		Picture *int
		Seconds float64
	}
	if err := json.Unmarshal(event.Data, &job); err != nil {
		return never{err}
	}
	select {
	case <-time.After(time.Duration(job.Seconds * float64(time.Second))):
	case <-ctx.Done():
		return ctx.Err()
	}
	if job.Picture == nil {
		return errors.New("the job names no picture")
	}
	if *job.Picture < 0 {
		return never{fmt.Errorf("there is no picture %d", *job.Picture)}
	}
	fmt.Printf("picture %d done\n", *job.Picture)
	return nil
}

type place struct {
	topic     string
	partition int32
	offset    int64
	resets    int64 // The generation of the assignment.
}

// outcome is what became of an event; settlement is nil when it is untouched.
type outcome struct {
	at         place
	settlement *pb.Settlement
	credit     *pb.SubscribeControl
}

func outcomeOf(ctx context.Context, at place, event *pb.Event) *outcome {
	said := &pb.Settlement{Offset: at.offset, Kind: pb.SettleKind_SETTLE_KIND_ACK}
	done := &outcome{at, said, creditOf(event)}
	err := process(ctx, event)
	switch {
	case err == nil:
	case errors.Is(err, ctx.Err()):
		done.settlement = nil
	case errors.As(err, &never{}):
		said.Kind, said.Reason, said.Text = pb.SettleKind_SETTLE_KIND_REJECT, "never", textOf(err)
	default:
		said.Kind, said.Reason, said.Text = pb.SettleKind_SETTLE_KIND_NACK, "failed", textOf(err)
	}
	return done
}

// textOf is at most 1,024 bytes of the error.
func textOf(err error) string {
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), 1024)], "")
}

// settleOf says what became of an event, by the handle that its partition has now.
func settleOf(settlement *pb.Settlement, handle uint64) *pb.SubscribeControl {
	settlement.Assignment = handle
	return &pb.SubscribeControl{Control: &pb.SubscribeControl_Settle{
		Settle: &pb.Settle{Settlements: []*pb.Settlement{settlement}}}}
}

// creditOf gives back what the delivery of the event took.
func creditOf(event *pb.Event) *pb.SubscribeControl {
	size := proto.Size(&pb.DeliveredBatch{Events: []*pb.Event{event}})
	return &pb.SubscribeControl{Control: &pb.SubscribeControl_Credit{
		Credit: &pb.Credit{Events: 1, Bytes: int64(size)}}}
}
