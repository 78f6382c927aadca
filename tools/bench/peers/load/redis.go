package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// A connection that writes commands and reads answers as they come: RESP2, only what XADD and
// XREAD need, so that the client is no limit.
type redis struct {
	in  *bufio.Reader
	out *bufio.Writer
}

func dial(addr string) *redis {
	connection, err := net.Dial("tcp", addr)
	check(err)
	return &redis{bufio.NewReaderSize(connection, 1<<20), bufio.NewWriterSize(connection, 1<<20)}
}

// Sent with the next flush.
func (r *redis) command(words ...string) {
	fmt.Fprintf(r.out, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(r.out, "$%d\r\n%s\r\n", len(word), word)
	}
}

// The length that an answer or one of its parts begins with; -1 for none.
func (r *redis) length() int {
	line, err := r.in.ReadSlice('\n')
	check(err)
	if line[0] != '*' && line[0] != '$' {
		check(fmt.Errorf("redis answers %q", line))
	}
	value, err := strconv.Atoi(string(line[1 : len(line)-2]))
	check(err)
	return value
}

// The next string, in a buffer that it may use.
func (r *redis) text(buffer []byte) []byte {
	length := r.length()
	if cap(buffer) < length+2 {
		buffer = make([]byte, length+2)
	}
	_, err := io.ReadFull(r.in, buffer[:length+2])
	check(err)
	return buffer[:length]
}

// One XREAD after `id`, which waits for the first: the last id and how many there were.
func (r *redis) read(stream, id string, each func(value []byte)) (string, int) {
	r.command("XREAD", "COUNT", "1000", "BLOCK", "20000", "STREAMS", stream, id)
	check(r.out.Flush())
	if r.length() < 0 {
		check(fmt.Errorf("nothing came for 20 s"))
	}
	buffer := make([]byte, 4096)
	r.length()
	r.text(buffer)
	entries := r.length()
	for i := 0; i < entries; i++ {
		r.length()
		id = string(r.text(buffer))
		for fields := r.length(); fields > 0; fields -= 2 {
			r.text(buffer)
			each(r.text(buffer))
		}
	}
	return id, entries
}

func redisRead(addr, stream string, events int) {
	r := dial(addr)
	id, read := "0", 0
	var begin time.Time
	for read < events {
		next, entries := r.read(stream, id, func([]byte) {})
		if read == 0 {
			begin = time.Now()
		}
		id, read = next, read+entries
	}
	fmt.Printf("{\"events\": %d, \"per_second\": %.0f}\n", read,
		float64(read)/time.Since(begin).Seconds())
}

func redisPaced(addr, stream string, s *schedule) {
	go func() {
		r := dial(addr)
		for id := "0"; ; {
			id, _ = r.read(stream, id, s.delivered)
		}
	}()
	w := dial(addr)
	go func() {
		_, _ = io.Copy(io.Discard, w.in)
	}()
	s.run(func(payload []byte) {
		w.command("XADD", stream, "*", "f", string(payload))
	}, func() { check(w.out.Flush()) })
}
