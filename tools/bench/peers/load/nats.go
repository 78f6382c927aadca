package main

import (
	"bytes"
	"context"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func connect(addr string) jetstream.JetStream {
	connection, err := nats.Connect("nats://" + addr)
	check(err)
	stream, err := jetstream.New(connection, jetstream.WithPublishAsyncMaxPending(100_000))
	check(err)
	return stream
}

// Publisher and consumer have a connection each.
func natsPaced(addr, name string, s *schedule) {
	ctx := context.Background()
	reader, writer := connect(addr), connect(addr)
	_, err := reader.CreateStream(ctx, jetstream.StreamConfig{
		Name: name, Subjects: []string{name}, Storage: jetstream.FileStorage})
	check(err)
	consumer, err := reader.OrderedConsumer(ctx, name, jetstream.OrderedConsumerConfig{})
	check(err)
	_, err = consumer.Consume(func(m jetstream.Msg) { s.delivered(m.Data()) },
		jetstream.PullMaxMessages(1000))
	check(err)
	s.run(func(payload []byte) {
		_, err := writer.PublishAsync(name, bytes.Clone(payload))
		check(err)
	}, func() {})
}
