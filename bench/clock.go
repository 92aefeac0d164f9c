package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock tells the time that has gone since some moment.
type clock func() time.Duration

var started = time.Now()

// byWall is time as people see it: for what waits for a disk or another
// process.
func byWall() time.Duration { return time.Since(started) }

// byProcessor is what this process has used of all processors: for what only
// computes, so that whatever else the machine does counts little.
func byProcessor() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		panic(err) // every Unix has this clock
	}
	return time.Duration(t.Nano())
}
