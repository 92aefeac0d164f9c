// Command bench measures what docs/performance.md promises: that a check costs
// about what looking an answer up costs, that a change costs what it changes
// and not what there is, and that several servers agree in time.
//
// It builds its own data in a temporary folder, measures every promise three
// times against a baseline of the same run, takes the best, prints one table,
// and fails when a promised ratio or count was missed. Nothing is promised in
// seconds but what a person waits for; a ratio holds on any machine.
//
// It is a module of its own so that the engines it compares with are no
// dependencies of the program. Every promise is measured in a process of its
// own, which cannot disturb the next one and can be given up. Start reading at
// the list of promises in promise.go.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code) //nolint:forbidigo // this is a program's main
}

// options are the program's flags.
type options struct {
	only     *regexp.Regexp
	quick    bool
	limit    time.Duration
	document string
	profiles string
	child    string // the promise that this process is to measure
	dir      string // the folder shared by the processes of one run
	postgres string // the address of the run's PostgreSQL; "" where there is none
}

func (o *options) parse(args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	only := f.String("run", "", "measure only the promises whose name matches this expression")
	f.BoolVar(&o.quick, "quick", false, "small sizes, one run; counts are judged, ratios only shown")
	f.DurationVar(&o.limit, "limit", 15*time.Minute, "give a promise up after this time")
	f.StringVar(&o.document, "write", "", "put the table into this document, between its two marks")
	f.StringVar(&o.profiles, "profiles", "", "leave a processor profile of each promise in this folder")
	f.StringVar(&o.child, "child", "", "for the program's own use")
	f.StringVar(&o.dir, "dir", "", "for the program's own use")
	f.StringVar(&o.postgres, "postgres", "", "for the program's own use")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	return nil
}

// run is the program; it returns the exit code: 0 when everything measured
// held, 1 when something did not, 2 when something could not be measured.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	switch err := o.parse(args, stderr); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	if o.child != "" {
		if err := o.measure(ctx, stdout, stderr); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 2
		}
		return 0
	}
	report, err := o.measureAll(ctx, stderr)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	report.write(stdout)
	if o.document != "" {
		if err := report.into(o.document); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return 2
		}
	}
	if !report.held(o.quick) {
		return 1
	}
	return 0
}

// measure is the work of a child: one promise, its checks as lines of JSON.
func (o *options) measure(ctx context.Context, stdout, stderr io.Writer) error {
	for _, p := range promises {
		if p.name != o.child {
			continue
		}
		if o.profiles != "" {
			f, err := os.Create(filepath.Join(o.profiles, p.name+".pprof"))
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		b := &bench{ctx: ctx, quick: o.quick, dir: o.dir, own: filepath.Join(o.dir, p.name), postgres: o.postgres, out: stdout, log: stderr}
		if err := os.MkdirAll(b.own, 0o700); err != nil {
			return err
		}
		if err := p.measure(b); err != nil { // what was measured before it is told
			b.demand(p.name, "to be measured", false, "%v", err)
		}
		return nil
	}
	return fmt.Errorf("there is no promise %q", o.child)
}

// measureAll measures the chosen promises one after another.
func (o *options) measureAll(ctx context.Context, stderr io.Writer) (*report, error) {
	dir, err := os.MkdirTemp("", "sluice-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &report{machine: machine(dir), quick: o.quick}
	server, err := startPostgres()
	switch {
	case errors.Is(err, errNoPostgres):
		fmt.Fprintln(stderr, "bench:", err)
	case err != nil:
		return nil, err
	default:
		defer server.stop()
		o.postgres = server.url()
		r.machine = append(r.machine, "PostgreSQL "+server.version+" on the same machine, fsync on")
	}
	for _, p := range promises {
		if !o.only.MatchString(p.name) {
			continue
		}
		fmt.Fprintf(stderr, "%s ...\n", p.name)
		begun := time.Now()
		checks, err := o.spawn(ctx, p, dir, stderr)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			checks = append(checks, check{What: p.name, Wanted: "to be measured", Measured: err.Error()})
		}
		fmt.Fprintf(stderr, "%s took %s\n", p.name, time.Since(begun).Round(time.Second))
		r.sections = append(r.sections, section{p, checks})
		if err := os.RemoveAll(filepath.Join(dir, p.name)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// spawn measures one promise in a process of its own, which is ended when it
// takes longer than it may.
func (o *options) spawn(ctx context.Context, p promise, dir string, stderr io.Writer) ([]check, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("given up after %s", o.limit))
	defer cancel()
	args := []string{"-child", p.name, "-dir", dir, "-postgres", o.postgres, "-profiles", o.profiles, fmt.Sprintf("-quick=%v", o.quick)}
	c := exec.CommandContext(ctx, self, args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	c.Stderr = stderr
	out, err := c.Output()
	var checks []check
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); {
		var found check
		if err := lines.Decode(&found); err != nil {
			return checks, err
		}
		checks = append(checks, found)
	}
	switch {
	case ctx.Err() != nil:
		return checks, context.Cause(ctx)
	case err != nil:
		return checks, fmt.Errorf("%s: %w", p.name, err)
	}
	return checks, nil
}
