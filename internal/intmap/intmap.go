// Package intmap is an immutable map from integer ids to values.
//
// Set and Delete return a new map that shares everything but the path to the
// changed entry with the old one, so a snapshot of any size changes at the
// cost of what changed, and two snapshots are compared at the cost of what
// differs ([Changes] skips shared parts by pointer). Iteration is in
// ascending order of the keys.
//
// It is a radix tree on the key's bits, six at a time, with compressed nodes.
// Keys are expected to be small non-negative numbers, as a database hands
// them out. Start reading at [Map].
package intmap

import (
	"iter"
	"math/bits"
	"slices"
)

// Key is any integer id type.
type Key interface{ ~int | ~int64 }

const (
	width = 6
	mask  = 1<<width - 1
)

// Map is an immutable map. Its zero value is the empty map. Values are shared
// between versions: a value must not be changed after it was put in.
type Map[K Key, V any] struct {
	root  *node[V]
	shift uint // bits below the root's digit
	size  int
}

// node holds one digit of the key. At shift 0 vals is used, above it kids.
type node[V any] struct {
	bitmap uint64
	kids   []*node[V]
	vals   []V
}

func (n *node[V]) index(digit uint64) int {
	return bits.OnesCount64(n.bitmap & (1<<digit - 1))
}

// Len is the number of entries.
func (m Map[K, V]) Len() int { return m.size }

// Get returns the value of k and whether there is one. It does not allocate.
func (m Map[K, V]) Get(k K) (V, bool) {
	var zero V
	n := m.root
	u := uint64(k)
	if n == nil || k < 0 || u>>m.shift > mask {
		return zero, false
	}
	for shift := m.shift; ; shift -= width {
		digit := u >> shift & mask
		if n.bitmap&(1<<digit) == 0 {
			return zero, false
		}
		if shift == 0 {
			return n.vals[n.index(digit)], true
		}
		n = n.kids[n.index(digit)]
	}
}

// Has tells whether k has a value.
func (m Map[K, V]) Has(k K) bool {
	_, ok := m.Get(k)
	return ok
}

// Set returns a map in which k has the value v. A negative key is a
// programming error and panics.
func (m Map[K, V]) Set(k K, v V) Map[K, V] {
	if k < 0 {
		panic("intmap: negative key")
	}
	for m.root != nil && uint64(k)>>m.shift > mask {
		m.root = &node[V]{bitmap: 1, kids: []*node[V]{m.root}}
		m.shift += width
	}
	if m.root == nil {
		for uint64(k)>>m.shift > mask {
			m.shift += width
		}
	}
	root, added := set(m.root, m.shift, uint64(k), v)
	m.root = root
	if added {
		m.size++
	}
	return m
}

func set[V any](n *node[V], shift uint, k uint64, v V) (*node[V], bool) {
	digit := k >> shift & mask
	bit := uint64(1) << digit
	c := &node[V]{bitmap: bit}
	if n == nil {
		if shift == 0 {
			c.vals = []V{v}
		} else {
			kid, _ := set[V](nil, shift-width, k, v)
			c.kids = []*node[V]{kid}
		}
		return c, true
	}
	i, has := n.index(digit), n.bitmap&bit != 0
	c.bitmap = n.bitmap | bit
	if shift == 0 {
		c.vals = spliced(n.vals, i, has, v)
		return c, !has
	}
	var kid *node[V]
	if has {
		kid = n.kids[i]
	}
	kid, added := set(kid, shift-width, k, v)
	c.kids = spliced(n.kids, i, has, kid)
	return c, added
}

// spliced copies s with v at i, in place of what is there or pushed in.
func spliced[T any](s []T, i int, replace bool, v T) []T {
	rest := i
	if replace {
		rest++
	}
	c := make([]T, 0, i+1+len(s)-rest)
	return append(append(append(c, s[:i]...), v), s[rest:]...)
}

// Entry is a key and its value.
type Entry[K Key, V any] struct {
	Key   K
	Value V
}

// SetAll is Set for many entries at once, sorted by key, each key once. It
// copies every part of the map that changes once.
func (m Map[K, V]) SetAll(entries []Entry[K, V]) Map[K, V] {
	if len(entries) == 0 {
		return m
	}
	// The first and the last one make the root as high as it must be.
	first, last := entries[0], entries[len(entries)-1]
	m = m.Set(first.Key, first.Value).Set(last.Key, last.Value)
	root, added := setAll(m.root, m.shift, entries)
	m.root = root
	m.size += added
	return m
}

func setAll[K Key, V any](n *node[V], shift uint, entries []Entry[K, V]) (*node[V], int) {
	c := &node[V]{}
	if n != nil {
		c.bitmap = n.bitmap
	}
	all := c.bitmap
	digit := func(k K) uint64 { return uint64(k) >> shift & mask }
	for _, e := range entries {
		all |= 1 << digit(e.Key)
	}
	added := 0
	for rest := all; rest != 0; rest &= rest - 1 {
		d := uint64(bits.TrailingZeros64(rest))
		end := 0
		for end < len(entries) && digit(entries[end].Key) == d {
			end++
		}
		had := c.bitmap&(1<<d) != 0
		switch {
		case shift > 0 && end == 0:
			c.kids = append(c.kids, kid(n, d))
		case shift > 0:
			k, more := setAll(kid(n, d), shift-width, entries[:end])
			c.kids = append(c.kids, k)
			added += more
		case end == 0:
			c.vals = append(c.vals, n.vals[n.index(d)])
		default:
			c.vals = append(c.vals, entries[0].Value)
			if !had {
				added++
			}
		}
		entries = entries[end:]
	}
	c.bitmap = all
	c.kids, c.vals = slices.Clip(c.kids), slices.Clip(c.vals)
	return c, added
}

// Delete returns a map without k.
func (m Map[K, V]) Delete(k K) Map[K, V] {
	if !m.Has(k) {
		return m
	}
	m.size--
	m.root = drop(m.root, m.shift, uint64(k))
	if m.root == nil {
		m.shift = 0
	}
	return m
}

func drop[V any](n *node[V], shift uint, k uint64) *node[V] {
	digit := k >> shift & mask
	i := n.index(digit)
	c := &node[V]{bitmap: n.bitmap, kids: n.kids, vals: n.vals}
	if shift > 0 {
		if kid := drop(n.kids[i], shift-width, k); kid != nil {
			c.kids = spliced(n.kids, i, true, kid)
			return c
		}
		c.kids = append(append(make([]*node[V], 0, len(n.kids)-1), n.kids[:i]...), n.kids[i+1:]...)
	} else {
		c.vals = append(append(make([]V, 0, len(n.vals)-1), n.vals[:i]...), n.vals[i+1:]...)
	}
	c.bitmap &^= 1 << digit
	if c.bitmap == 0 {
		return nil
	}
	return c
}

// All yields the entries in ascending order of their keys.
func (m Map[K, V]) All() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) { walk(m.root, m.shift, 0, yield) }
}

// Keys yields the keys in ascending order.
func (m Map[K, V]) Keys() iter.Seq[K] {
	return func(yield func(K) bool) {
		walk(m.root, m.shift, 0, func(k K, _ V) bool { return yield(k) })
	}
}

func walk[K Key, V any](n *node[V], shift uint, prefix uint64, yield func(K, V) bool) bool {
	if n == nil {
		return true
	}
	i := 0
	for rest := n.bitmap; rest != 0; rest &= rest - 1 {
		key := prefix | uint64(bits.TrailingZeros64(rest))<<shift
		if shift == 0 {
			if !yield(K(key), n.vals[i]) {
				return false
			}
		} else if !walk(n.kids[i], shift-width, key, yield) {
			return false
		}
		i++
	}
	return true
}

// Changes yields, in ascending order, every key that one of the maps holds
// outside the parts that the two share. Keys whose values turn out to be
// equal may be among them; keys that are not yielded are equal for certain.
func Changes[K Key, V any](a, b Map[K, V]) iter.Seq[K] {
	return func(yield func(K) bool) {
		shift := max(a.shift, b.shift)
		changes(raised(a, shift), raised(b, shift), shift, 0, func(k uint64) bool { return yield(K(k)) })
	}
}

// raised is the root of m as a tree of the given height.
func raised[K Key, V any](m Map[K, V], shift uint) *node[V] {
	n := m.root
	for s := m.shift; n != nil && s < shift; s += width {
		n = &node[V]{bitmap: 1, kids: []*node[V]{n}}
	}
	return n
}

func changes[V any](a, b *node[V], shift uint, prefix uint64, yield func(uint64) bool) bool {
	if a == b {
		return true
	}
	var all uint64
	if a != nil {
		all |= a.bitmap
	}
	if b != nil {
		all |= b.bitmap
	}
	for rest := all; rest != 0; rest &= rest - 1 {
		digit := uint64(bits.TrailingZeros64(rest))
		key := prefix | digit<<shift
		if shift == 0 {
			if !yield(key) {
				return false
			}
		} else if !changes(kid(a, digit), kid(b, digit), shift-width, key, yield) {
			return false
		}
	}
	return true
}

func kid[V any](n *node[V], digit uint64) *node[V] {
	if n == nil || n.bitmap&(1<<digit) == 0 {
		return nil
	}
	return n.kids[n.index(digit)]
}
