package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// asked is a question: may the person query the table? Both are indexes.
type asked struct{ user, table int32 }

// questions are n different pairs in random order: half of them about
// something that one of the person's groups mentions, half about any table.
func (w *world) questions(n int) []asked {
	r := rand.New(rand.NewPCG(3, 4))
	n = min(n, len(w.users)*len(w.tables)/4)
	seen := make(map[asked]bool, n)
	list := make([]asked, 0, n)
	for len(list) < n {
		a := asked{int32(r.IntN(len(w.users))), int32(r.IntN(len(w.tables)))}
		if groups := w.users[a.user].groups; len(list)%2 == 0 {
			a.table = w.mentioned(r, groups[r.IntN(len(groups))])
		}
		if !seen[a] {
			seen[a] = true
			list = append(list, a)
		}
	}
	return list
}

// mentioned is a table that something the group has is about.
func (w *world) mentioned(r *rand.Rand, g int) int32 {
	e := w.groups[g].entries[r.IntN(len(w.groups[g].entries))]
	schemas := w.databases[e.database].schemas
	sch := schemas[r.IntN(len(schemas))]
	t := sch.tables[r.IntN(len(sch.tables))]
	switch s := e.cells[r.IntN(len(e.cells))].scope; s.Depth {
	case permission.OfTable:
		t = s.Table
	case permission.OfSchema:
		for _, sch := range schemas {
			if sch.name == s.Schema {
				t = sch.tables[r.IntN(len(sch.tables))]
			}
		}
	case permission.OfDatabase:
	}
	return int32(t - firstTable)
}

// may puts a question to the graph, as the server does.
func may(g *permission.Graph, a asked) bool {
	return g.AccessOf(permission.UserID(a.user)+firstUser).Can(permission.QueryTable, permission.ATable(catalog.TableID(a.table)+firstTable))
}

// array is the answers by person and table.
type array [][]uint8

// answersOf are the answers in an array. What was not asked is noise: the array
// is as large as if everything had been.
func (w *world) answersOf(asks []asked, answer func(asked) bool) array {
	r := rand.New(rand.NewPCG(5, 6))
	all := make(array, len(w.users))
	for u := range all {
		all[u] = make([]uint8, len(w.tables))
		for i := 0; i < len(all[u]); i += 8 {
			all[u][i] = uint8(r.Uint32())
		}
	}
	for _, a := range asks {
		all[a.user][a.table] = 0
		if answer(a) {
			all[a.user][a.table] = 1
		}
	}
	return all
}

// can looks an answer up. It is called, as Can is: the compiler would else put
// it into the loop, where the processor begins a dozen look-ups before the
// first has ended.
//
//go:noinline
func (all array) can(user, table int32) bool { return all[user][table] != 0 }

// pass asks all questions by can.
func (all array) pass(asks []asked) int {
	n := 0
	for _, a := range asks {
		n += one(all.can(a.user, a.table))
	}
	return n
}

// sum asks them without a call.
func (all array) sum(asks []asked) int {
	n := 0
	for _, a := range asks {
		n += int(all[a.user][a.table])
	}
	return n
}

// check measures Can against a look-up in arrays over the same questions in
// the same order, then against other engines.
func (b *bench) check() error {
	w := newWorld(pick(b.quick, medium(), large()))
	s, err := b.open(w)
	if err != nil {
		return err
	}
	defer s.Close()
	g := s.store.Graph()
	asks := w.questions(pick(b.quick, 20_000, 250_000))

	before := alive()
	mallocs, begun := allocated(), byProcessor()
	yes := pass(g, asks)
	b.tell(fmt.Sprintf("the first pass over %d questions, cold", len(asks)), "%s a check, %.2f allocations a check; %d%% are answered yes",
		shortly(byProcessor()-begun, len(asks)), float64(allocated()-mallocs)/float64(len(asks)), 100*yes/len(asks))

	b.tell("what the server keeps of it", "%s of answers, beside everything else that is alive: %s", size(alive()-before), size(before))

	answers := w.answersOf(asks, func(a asked) bool { return may(g, a) })
	counted := func(is int) error {
		if is != yes {
			return fmt.Errorf("there were %d yeses at first and then %d", yes, is)
		}
		return nil
	}
	var called, inlined []versus
	for range b.runs() {
		runtime.GC()
		again := func() error { return counted(pass(g, asks)) }
		v, err := interleaved(byProcessor, 9, again, func() error { return counted(answers.pass(asks)) })
		if err != nil {
			return err
		}
		called = append(called, v)
		v, err = interleaved(byProcessor, 9, again, func() error { return counted(answers.sum(asks)) })
		if err != nil {
			return err
		}
		inlined = append(inlined, v)
	}
	of := func(v versus) string {
		return fmt.Sprintf("%.2fx (%s : %s)", v.ratio(), shortly(v.is, len(asks)), shortly(v.baseline, len(asks)))
	}
	v := best(called)
	b.demandTime("a check, warm : the array, asked by a function too", "at most 3x", v.ratio() <= 3, "%s", of(v))
	b.tell("a check, warm : the array, summed up in one loop without a call", "%s", of(best(inlined)))
	mallocs = allocated()
	pass(g, asks)
	mallocs = allocated() - mallocs
	// A few are the runtime's own.
	b.demand("allocations in a warm pass", "0", mallocs < 20, "%d in %d checks", mallocs, len(asks))

	if err := b.afterAChange(s, asks); err != nil {
		return err
	}
	return b.others(w, s.store.Graph(), asks)
}

// pass asks all questions and counts the yeses. It says what may says, as may is
// not inlined: a call more would be measured.
func pass(g *permission.Graph, asks []asked) int {
	n := 0
	for _, a := range asks {
		n += one(g.AccessOf(permission.UserID(a.user)+firstUser).Can(permission.QueryTable, permission.ATable(catalog.TableID(a.table)+firstTable)))
	}
	return n
}

// one is 1 for true: a sum, as the array's is, and no branch that the
// processor guesses wrong every second time.
func one(yes bool) (n int) {
	if yes {
		n = 1
	}
	return n
}

// allocated is how many objects have been allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// interleaved runs two things in turn and takes the fastest time of each.
func interleaved(by clock, rounds int, is, baseline func() error) (versus, error) {
	var v versus
	faster := func(than *time.Duration, f func() error) error {
		begun := by()
		err := f()
		if took := by() - begun; *than == 0 || took < *than {
			*than = took
		}
		return err
	}
	for range rounds {
		if err := faster(&v.baseline, baseline); err != nil {
			return v, err
		}
		if err := faster(&v.is, is); err != nil {
			return v, err
		}
	}
	return v, nil
}

// afterAChange tells what one changed cell makes of the warm answers.
func (b *bench) afterAChange(s *server, asks []asked) error {
	change := changeCell(permission.Limited)
	if _, err := s.store.Change(b.ctx, who, change); err != nil {
		return err
	}
	g := s.store.Graph()
	begun := byProcessor()
	pass(g, asks)
	first := byProcessor() - begun
	begun = byProcessor()
	pass(g, asks)
	b.tell("the first and the second pass after one cell was changed", "%s and %s a check", shortly(first, len(asks)), shortly(byProcessor()-begun, len(asks)))
	return nil
}
