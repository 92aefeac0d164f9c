package intmap_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/intmap"
	"pgregory.net/rapid"
)

// A map and an ordinary Go map that saw the same writes agree, old versions
// keep what they held, and Changes names every key that differs.
func TestMapIsAMapThatKeepsItsOldVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(rapid.IntRange(0, 200), rapid.IntRange(0, 1<<20))
		m, model := intmap.Map[int, int]{}, map[int]int{}
		old, oldModel := m, maps.Clone(model)
		for range rapid.IntRange(0, 120).Draw(t, "writes") {
			k := key.Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "write") {
			case 0:
				m = m.Delete(k)
				delete(model, k)
			case 1:
				old, oldModel = m, maps.Clone(model)
			default:
				v := rapid.IntRange(0, 3).Draw(t, "value")
				m = m.Set(k, v)
				model[k] = v
			}
		}
		same(t, m, model)
		same(t, old, oldModel)
		named := slices.Collect(intmap.Changes(old, m))
		if !slices.IsSorted(named) {
			t.Fatalf("changes out of order: %v", named)
		}
		for k := range maps.Keys(model) {
			if v, ok := oldModel[k]; (!ok || v != model[k]) && !slices.Contains(named, k) {
				t.Fatalf("key %d differs and is not named in %v", k, named)
			}
		}
		for k := range oldModel {
			if _, ok := model[k]; !ok && !slices.Contains(named, k) {
				t.Fatalf("key %d is gone and is not named in %v", k, named)
			}
		}
	})
}

func same(t *rapid.T, m intmap.Map[int, int], model map[int]int) {
	if m.Len() != len(model) {
		t.Fatalf("Len is %d, want %d", m.Len(), len(model))
	}
	var keys []int
	for k, v := range m.All() {
		keys = append(keys, k)
		if got, ok := m.Get(k); !ok || got != v || v != model[k] {
			t.Fatalf("key %d: All gives %d, Get %d (%v), want %d", k, v, got, ok, model[k])
		}
	}
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(keys, want) {
		t.Fatalf("keys %v, want %v", keys, want)
	}
}

func TestAChangeSharesTheRest(t *testing.T) {
	var m intmap.Map[int, int]
	for k := range 10_000 {
		m = m.Set(k, k)
	}
	if n := len(slices.Collect(intmap.Changes(m, m.Set(5_000, 0)))); n > 64 {
		t.Fatalf("one write touched the surroundings of %d keys, want at most 64", n)
	}
	if got := testing.AllocsPerRun(100, func() { m.Get(7_777) }); got != 0 {
		t.Fatalf("Get allocates %v times", got)
	}
}

// TestADenseMapIsAMapThatKeepsItsOldVersions: compared with a plain map.
func TestADenseMapIsAMapThatKeepsItsOldVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.Int64Range(0, 40_000)
		var d intmap.Dense[int64, int]
		plain := map[int64]int{}
		old, was := d, map[int64]int{}
		for i := range rapid.IntRange(0, 50).Draw(t, "n") {
			if rapid.Bool().Draw(t, "keep") {
				old, was = d, maps.Clone(plain)
			}
			k := key.Draw(t, "key")
			d = d.Set(k, i+1)
			plain[k] = i + 1
		}
		for k := range plain {
			for _, k := range []int64{k, k + 1, k - 1, -k, k << 20} {
				if d.Get(k) != plain[k] || old.Get(k) != was[k] {
					t.Fatalf("%d: %d and %d, want %d and %d", k, d.Get(k), old.Get(k), plain[k], was[k])
				}
			}
		}
	})
}

// TestManyAtOnceIsOneByOne: SetAll comes to what Set for each entry comes to,
// and leaves the map that it was made from alone.
func TestManyAtOnceIsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.OneOf(rapid.Int64Range(0, 200), rapid.Int64Range(0, 1<<40)), rapid.ID[int64])
		dense := rapid.SliceOfDistinct(rapid.Int64Range(0, 3000), rapid.ID[int64])
		var m intmap.Map[int64, int]
		for i, k := range keys.Draw(t, "there") {
			m = m.Set(k, i)
		}
		before := maps.Collect(m.All())
		var batch []intmap.Entry[int64, int]
		one := m
		for i, k := range slices.Sorted(slices.Values(keys.Draw(t, "new"))) {
			batch = append(batch, intmap.Entry[int64, int]{Key: k, Value: -i})
			one = one.Set(k, -i)
		}
		many := m.SetAll(batch)
		if !maps.Equal(maps.Collect(many.All()), maps.Collect(one.All())) || many.Len() != one.Len() {
			t.Fatalf("%v of %d, want %v of %d", maps.Collect(many.All()), many.Len(), maps.Collect(one.All()), one.Len())
		}
		if !slices.IsSorted(slices.Collect(many.Keys())) || !maps.Equal(maps.Collect(m.All()), before) {
			t.Fatal("out of order, or the old map changed")
		}
		for k := range one.All() {
			if v, ok := many.Get(k); !ok || v != maps.Collect(one.All())[k] {
				t.Fatalf("%d is %d, %v", k, v, ok)
			}
			many = many.Delete(k)
		}
		if many.Len() != 0 {
			t.Fatalf("%d entries are left", many.Len())
		}
		var d, by intmap.Dense[int64, int]
		var all []intmap.Entry[int64, int]
		for i, k := range slices.Sorted(slices.Values(dense.Draw(t, "dense"))) {
			all = append(all, intmap.Entry[int64, int]{Key: k, Value: i + 1})
			by = by.Set(k, i+1)
		}
		d = d.SetAll(all)
		for k := range int64(3300) {
			if d.Get(k) != by.Get(k) {
				t.Fatalf("dense %d: %d, want %d", k, d.Get(k), by.Get(k))
			}
		}
	})
}
