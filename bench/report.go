package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is what a run found out, in the order of the promises.
type report struct {
	machine  []string
	quick    bool
	sections []section
}

// section is one promise and what was measured of it.
type section struct {
	promise
	checks []check
}

// held tells whether everything that was promised held. A quick run does not
// judge by times.
func (r *report) held(quick bool) bool {
	for _, s := range r.sections {
		for _, c := range s.checks {
			if !c.Held && !(quick && c.Timed) {
				return false
			}
		}
	}
	return true
}

// write writes the report as Markdown.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "Measured on %s: %s.\n", time.Now().UTC().Format("2006-01-02"), strings.Join(r.machine, "; "))
	if r.quick {
		fmt.Fprintf(w, "\nA quick run: small sizes, each measured once. Ratios are only shown.\n")
	}
	missed := 0
	for _, s := range r.sections {
		fmt.Fprintf(w, "\n**%s**: %s\n\n", s.name, s.text)
		rows := [][]string{{"what", "wanted", "measured", "verdict"}}
		for _, c := range s.checks {
			verdict := "held"
			switch {
			case c.told():
				verdict = ""
			case !c.Held:
				verdict = "**missed**"
				missed++
			}
			rows = append(rows, []string{c.What, c.Wanted, c.Measured, verdict})
		}
		writeTable(w, rows)
	}
	switch missed {
	case 0:
		fmt.Fprintf(w, "\nEverything measured held.\n")
	default:
		fmt.Fprintf(w, "\nMissed: %d.\n", missed)
	}
}

// writeTable writes rows, the first of which is the head, as a Markdown table that
// can be read as it is.
func writeTable(w io.Writer, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i := range row {
			row[i] = strings.ReplaceAll(strings.ReplaceAll(row[i], "|", "/"), "\n", " ")
			widths[i] = max(widths[i], len([]rune(row[i])))
		}
	}
	line := func(row []string) {
		for i, cell := range row {
			fmt.Fprintf(w, "| %s%s ", cell, strings.Repeat(" ", widths[i]-len([]rune(cell))))
		}
		fmt.Fprintln(w, "|")
	}
	line(rows[0])
	for _, n := range widths {
		fmt.Fprintf(w, "|%s", strings.Repeat("-", n+2))
	}
	fmt.Fprintln(w, "|")
	for _, row := range rows[1:] {
		line(row)
	}
}

// The marks between which a document holds the newest table.
const (
	beginMark = "<!-- make bench: begin -->"
	endMark   = "<!-- make bench: end -->"
)

// into puts the report into a document, in place of what stands between the
// marks.
func (r *report) into(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(beginMark))
	_, after, closed := bytes.Cut(rest, []byte(endMark))
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the table: it is to hold %q and %q", path, beginMark, endMark)
	}
	var table bytes.Buffer
	r.write(&table)
	return os.WriteFile(path, slices.Concat(before, []byte(beginMark+"\n"), table.Bytes(), []byte(endMark), after), 0o644)
}

// machine describes what the figures were measured on.
func machine(dir string) []string {
	list := []string{
		fmt.Sprintf("%d processors of type %s", runtime.NumCPU(), processor()),
		fmt.Sprintf("%s, %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH),
	}
	if d, err := syncTime(dir); err == nil {
		list = append(list, "a write of 4 KiB is on the disk after "+short(d))
	}
	return list
}

func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // elsewhere there is none
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// syncTime is the median time that a small write and its fsync take.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var took []time.Duration
	for range 51 {
		begun := time.Now()
		if _, err := f.Write(make([]byte, 4<<10)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begun))
	}
	return median(took), nil
}

func median(list []time.Duration) time.Duration { return quantile(list, 50) }

// quantile is the time that so many percent do not exceed.
func quantile(list []time.Duration, percent int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}
