package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/sluice-bi/sluice/internal/permission"
)

const graphPath = "/api/permissions/graph"

// stream measures GET of the whole graph through the API, with nobody keeping
// the answer, against encoding/json on the maps that the answer reads as.
func (b *bench) stream() error {
	big, err := b.open(newWorld(pick(b.quick, medium(), large())))
	if err != nil {
		return err
	}
	defer big.Close()
	small, err := b.open(newWorld(little()))
	if err != nil {
		return err
	}
	defer small.Close()

	var memory [2]footprint
	for i, s := range []*server{small, big} {
		if memory[i], err = s.footprint(graphPath); err != nil {
			return err
		}
	}
	for i, of := range []string{"at " + little().String(), "whole graph"} {
		b.tell("bytes sent and allocated, "+of, "%s, %s", size(memory[i].sent), size(memory[i].allocated))
	}
	const most = 1 << 20
	b.demand("held in memory meanwhile", "at most 1 MiB at both sizes", max(memory[0].held, memory[1].held) <= most,
		"%s of %s, at the little size %s", size(memory[1].held), size(memory[1].sent), size(memory[0].held))

	var body bytes.Buffer
	if _, err := big.ask(&body, "GET", graphPath, ""); err != nil {
		return err
	}
	var maps map[string]any
	if err := json.Unmarshal(body.Bytes(), &maps); err != nil {
		return err
	}
	length := body.Len()
	body = bytes.Buffer{}
	var runs []versus
	for range b.runs() {
		runtime.GC()
		v, err := interleaved(byProcessor, 5, func() error {
			d, err := big.ask(io.Discard, "GET", graphPath, "")
			if err == nil && int(d.bytes) != length {
				err = fmt.Errorf("%d bytes came, and %d before", d.bytes, length)
			}
			return err
		}, func() error {
			_, err := json.Marshal(maps)
			return err
		})
		if err != nil {
			return err
		}
		runs = append(runs, v)
	}
	v := best(runs)
	if err := big.forget(); err != nil {
		return err
	}
	begun := byProcessor()
	if _, err := big.ask(io.Discard, "GET", graphPath, ""); err != nil {
		return err
	}
	first := byProcessor() - begun
	b.tell("the first time, when nothing of it is remembered", "%.1fx faster (%s)", float64(v.baseline)/float64(first), short(first))
	rate := float64(length) / 1e6 / v.is.Seconds()
	b.demandTime("the whole graph : encoding/json of the same maps", "at least 10x faster", v.ratio() <= 0.1,
		"%.1fx faster (%s : %s), %.0f MB a second", 1/v.ratio(), short(v.is), short(v.baseline), rate)
	return nil
}

// footprint is what an answer costs in memory.
type footprint struct {
	sent, allocated int64
	held            int64 // the most that was alive at one of ten moments, beyond what was before
}

// footprint measures an answer's.
func (s *server) footprint(path string) (footprint, error) {
	first, err := s.ask(io.Discard, "GET", path, "") // also warms what is kept
	if err != nil {
		return footprint{}, err
	}
	// Memory is looked at after a collection, so that garbage does not count.
	// The collector is off otherwise: it would run at moments of its own.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := s.ask(io.Discard, "GET", path, ""); err != nil {
		return footprint{}, err
	}
	runtime.ReadMemStats(&after)
	f := footprint{sent: first.bytes, allocated: int64(after.TotalAlloc - before.TotalAlloc)}

	base := alive()
	w := &sampler{every: first.bytes / 10, sample: func() { f.held = max(f.held, alive()-base) }}
	_, err = s.ask(w, "GET", path, "")
	return f, err
}

// alive is how many bytes of memory are reachable.
func alive() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// sampler calls sample every so many bytes.
type sampler struct {
	every, since int64
	sample       func()
}

func (s *sampler) Write(b []byte) (int, error) {
	if s.since += int64(len(b)); s.since >= s.every {
		s.since = 0
		s.sample()
	}
	return len(b), nil
}

// size is a number of bytes with three digits.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.3g kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.3g MB", float64(n)/1e6)
}

// page measures what one group's page costs by what it sends, over a schema of
// 2,000 tables and over one of 20.
func (b *bench) page() error {
	w := newWorld(pick(b.quick, medium(), large()))
	tables := [2]int{pick(b.quick, 500, 2000), 20}
	var databases [2]int
	for i, n := range tables {
		databases[i] = w.addDatabase(1, n)
	}
	empty := w.addGroup().id
	type pages struct {
		what   string
		groups [2]permission.GroupID
	}
	var list []pages
	for _, p := range []struct {
		what string
		make func(*entry, []schema)
	}{
		{"a level on every table", func(e *entry, s []schema) {
			for _, t := range s[0].tables {
				e.open(permission.OneTable(t), permission.QueryBuilder, true)
			}
		}},
		{"a level on 10 tables", func(e *entry, s []schema) {
			for _, t := range s[0].tables[:10] {
				e.open(permission.OneTable(t), permission.QueryBuilder, true)
			}
		}},
		{"one level on the database", func(e *entry, _ []schema) { e.open(permission.WholeDatabase(), permission.QueryBuilder, false) }},
	} {
		ps := pages{what: p.what}
		for i, db := range databases {
			g := w.addGroup()
			e := entry{database: db}
			p.make(&e, w.databases[db].schemas)
			g.entries = append(g.entries, e)
			ps.groups[i] = g.id
		}
		list = append(list, ps)
	}
	s, err := b.open(w)
	if err != nil {
		return err
	}
	defer s.Close()
	path := func(g permission.GroupID) string { return fmt.Sprintf("%s/group/%d", graphPath, g) }
	for _, p := range list {
		if err := b.pages(s, p.what, tables, path(empty), [2]string{path(p.groups[0]), path(p.groups[1])}); err != nil {
			return err
		}
	}
	return nil
}

// pages compares the time per byte of two pages, beyond that of an empty one.
func (b *bench) pages(s *server, what string, tables [2]int, empty string, paths [2]string) error {
	times := func(n int, path string) func() error {
		return func() error {
			for range n {
				if _, err := s.ask(io.Discard, "GET", path, ""); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var sent [3]int64
	for i, path := range []string{paths[0], paths[1], empty} {
		d, err := s.ask(io.Discard, "GET", path, "")
		if err != nil {
			return err
		}
		sent[i] = d.bytes
	}
	best, told := 0.0, ""
	for range b.runs() {
		large, err := interleaved(byProcessor, 5, times(10, paths[0]), times(10, empty))
		if err != nil {
			return err
		}
		little, err := interleaved(byProcessor, 5, times(50, paths[1]), times(50, empty))
		if err != nil {
			return err
		}
		// Less than a quarter of an empty page cannot be told from it.
		perByte := func(v versus, n, bytes int64) float64 {
			return float64(max(v.is-v.baseline, v.baseline/4)) / float64(n) / float64(bytes-sent[2])
		}
		is, was := perByte(large, 10, sent[0]), perByte(little, 50, sent[1])
		if ratio := is / was; best == 0 || ratio < best {
			best = ratio
			told = fmt.Sprintf("%.2fx (%.3g ns : %.3g ns a byte; %s in %s, %s in %s)", ratio, is, was,
				size(sent[0]), short(large.is/10), size(sent[1]), short(little.is/50))
		}
	}
	b.demandTime(fmt.Sprintf("%s, %d tables : %d", what, tables[0], tables[1]), "at most 2x a byte", best <= 2, "%s", told)
	return nil
}
