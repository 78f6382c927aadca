// What the load tools of NATS and Redis cannot do. All latencies count from when an event was due.
//
//	nats-paced ADDR STREAM SIZE RATE SECONDS   from due to delivered; a fifth is warm-up
//	redis-paced ADDR STREAM SIZE RATE SECONDS  the same
//	redis-read ADDR STREAM EVENTS              from the first on, until so many were read
package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"sort"
	"strconv"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peers-load:", err)
		os.Exit(1)
	}
}

func number(word string) float64 {
	value, err := strconv.ParseFloat(word, 64)
	check(err)
	return value
}

// An open loop: event after event when each is due, and how long each took to be delivered.
type schedule struct {
	start     time.Time
	size      int
	rate      float64
	total     int
	latencies []time.Duration
	over      chan bool
}

func newSchedule(size, rate, seconds float64) *schedule {
	total := int(rate * seconds)
	return &schedule{time.Now().Add(time.Second), int(size), rate, total,
		make([]time.Duration, 0, total), make(chan bool, 1)}
}

// Calls send with the payload of each due event, and flush after those that were due together.
// The payload is the callee's until it returns.
func (s *schedule) run(send func([]byte), flush func()) {
	payload := make([]byte, s.size)
	for i := 0; i < s.total; time.Sleep(100 * time.Microsecond) {
		due := min(s.total, int(time.Since(s.start).Seconds()*s.rate))
		if i >= due {
			continue
		}
		for ; i < due; i++ {
			at := time.Duration(float64(i) / s.rate * 1e9)
			binary.LittleEndian.PutUint64(payload, uint64(at))
			send(payload)
		}
		flush()
	}
}

// Of one thread.
func (s *schedule) delivered(payload []byte) {
	due := time.Duration(binary.LittleEndian.Uint64(payload))
	s.latencies = append(s.latencies, time.Since(s.start)-due)
	if len(s.latencies) == s.total {
		s.over <- true
	}
}

func (s *schedule) print() {
	select {
	case <-s.over:
	case <-time.After(2 * time.Minute):
		check(fmt.Errorf("not everything arrived"))
	}
	counted := s.latencies[s.total/5:]
	sort.Slice(counted, func(i, j int) bool { return counted[i] < counted[j] })
	us := func(share float64) float64 {
		return float64(counted[int(float64(len(counted)-1)*share)]) / 1e3
	}
	fmt.Printf("{\"events\": %d, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", s.total, us(.5), us(.99))
}

func main() {
	mode, addr, stream, size := os.Args[1], os.Args[2], os.Args[3], number(os.Args[4])
	if mode == "redis-read" {
		redisRead(addr, stream, int(size))
		return
	}
	s := newSchedule(size, number(os.Args[5]), number(os.Args[6]))
	if mode == "nats-paced" {
		natsPaced(addr, stream, s)
	} else {
		redisPaced(addr, stream, s)
	}
	s.print()
}
