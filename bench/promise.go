package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// promise is one of the things that docs/performance.md promises.
type promise struct {
	name string // for -run
	text string // in the words of the documentation
	// measure adds checks to the bench. An error says that it could not be
	// measured.
	measure func(*bench) error
}

// promises lists everything that is promised, in the order of the document.
var promises = []promise{
	{"check", "A check costs at most three times what looking the answer up in a two-level array costs, and allocates nothing.", (*bench).check},
	{"change", "Making a group or a database, adding a member and changing one cell cost at most twice what they cost at 15 x 15, with a constant number of statements and rows.", (*bench).change},
	{"stream", "The whole graph streams at least ten times faster than encoding/json writes the same maps, in constant memory.", (*bench).stream},
	{"page", "One group's page over a schema of 2,000 tables costs in proportion to what it sends.", (*bench).page},
	{"collections", "With 26,000 collections and 180 groups one change costs at most twice what it costs at 26 x 18.", (*bench).collections},
	{"growth", "1,000 changes on 8,000 collections and 3,000 groups let the SQLite file grow by less than 1 MB.", (*bench).growth},
	{"blocked", "Blocking All Users on 200,000 tables is one row.", (*bench).blocked},
	{"tenants", "PATCH and membership calls for 2,000 tenants, one after another: the last hundred cost at most 1.3 times the first; with whole graphs, the time per byte moved is constant.", (*bench).tenants},
	{"provisioning", "200 tenants provisioned at once by 16 clients that retry on 409: every one complete, no lost update, on both engines.", (*bench).provisioning},
	{"small", "A question with a small result takes less than a millisecond more than the driver alone, on a table of a million rows.", (*bench).small},
	{"export", "A million rows come as JSON with at least 60 % of the throughput of the driver and encoding/json alone, in constant memory.", (*bench).export},
	{"sandbox", "A question of somebody who sees one hundredth of a million rows costs at most 1.2 times the same with the filter written by hand, and as SQL, where that is held to it, 1.3 times and 5 ms.", (*bench).sandbox},
	{"survey", "Reading a schema sends as many statements for 2,000 tables as for 100.", (*bench).survey},
	{"nodes", "Two servers under 500 checks a second each: a revoke returns in less than a second; with one of them stopped, at most after its lease, and that one serves nothing until it has reloaded.", (*bench).nodes},
}

// bench is what the measuring of one promise has at hand.
type bench struct {
	ctx      context.Context
	quick    bool
	dir      string // shared with the other promises of the run
	own      string // a folder of its own
	postgres string
	out      io.Writer // takes the checks, a line of JSON each
	log      io.Writer
}

// check is one row of the table.
type check struct {
	What     string
	Wanted   string // "" for what is only told
	Measured string
	Held     bool
	// Timed tells that the verdict rests on how long something took. In a
	// quick run, which is too short for that, it does not count.
	Timed bool
}

func (c check) told() bool { return c.Wanted == "" }

// runs is how often a promise is measured; the best counts.
func (b *bench) runs() int { return pick(b.quick, 1, 3) }

func pick[T any](quick bool, small, full T) T {
	if quick {
		return small
	}
	return full
}

// tell adds a row without a verdict.
func (b *bench) tell(what, format string, args ...any) {
	b.add(check{What: what, Measured: fmt.Sprintf(format, args...), Held: true})
}

// demand adds a row that is judged by a count.
func (b *bench) demand(what, wanted string, held bool, format string, args ...any) {
	b.add(check{What: what, Wanted: wanted, Measured: fmt.Sprintf(format, args...), Held: held})
}

// demandTime adds a row that is judged by a time or a ratio of times.
func (b *bench) demandTime(what, wanted string, held bool, format string, args ...any) {
	b.add(check{What: what, Wanted: wanted, Measured: fmt.Sprintf(format, args...), Held: held, Timed: true})
}

// add tells at once what was found, so that it is known should the rest have
// to be given up.
func (b *bench) add(c check) {
	if err := json.NewEncoder(b.out).Encode(c); err != nil {
		panic(err) // the one who asked has gone
	}
	wanted := ""
	if !c.told() {
		wanted = "wanted " + c.Wanted + ", measured "
	}
	b.progress("%s: %s%s", c.What, wanted, c.Measured)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.log, "  %s\n", fmt.Sprintf(format, args...))
}

// needPostgres tells whether there is a PostgreSQL to measure on, and says so
// in the table where there is none.
func (b *bench) needPostgres(what string) bool {
	if b.postgres == "" {
		b.demand(what, "PostgreSQL", false, "not measured: the programs initdb and postgres are not installed")
	}
	return b.postgres != ""
}

// versus is what one run measured: something, and the baseline of that run.
type versus struct{ is, baseline time.Duration }

func (v versus) ratio() float64 { return float64(v.is) / float64(max(v.baseline, 1)) }

func (v versus) String() string {
	return fmt.Sprintf("%.2fx (%s : %s)", v.ratio(), short(v.is), short(v.baseline))
}

// best is the run with the lowest ratio.
func best(runs []versus) versus {
	b := runs[0]
	for _, v := range runs[1:] {
		if v.ratio() < b.ratio() {
			b = v
		}
	}
	return b
}

// atMost demands a ratio.
func (b *bench) atMost(what string, most float64, runs []versus) {
	v := best(runs)
	b.demandTime(what, fmt.Sprintf("at most %.3gx", most), v.ratio() <= most, "%s", v)
}

// short is a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d.Nanoseconds())
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/float64(time.Microsecond))
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// shortly is a duration in nanoseconds with a fraction, for what takes few.
func shortly(d time.Duration, n int) string {
	if each := float64(d) / float64(n); each < 1000 {
		return fmt.Sprintf("%.3g ns", each)
	}
	return short(d / time.Duration(n))
}

var errMissing = errors.New("something that was asked for did not come")
