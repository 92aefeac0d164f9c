package intmap

import "slices"

// Dense is an immutable map for keys of which most have a value: two loads
// find one. It holds places for keys in rooms of 256; Set copies one room and
// the list of rooms. What was never set is the zero value. Its own zero value
// is the empty map.
type Dense[K Key, V any] struct {
	rooms []*room[V]
}

const roomSize = 256

type room[V any] [roomSize]V

// Get returns the value of k. It does not allocate.
func (d Dense[K, V]) Get(k K) (v V) {
	if i := uint64(k) / roomSize; i < uint64(len(d.rooms)) { // a negative k is a large i
		v = d.rooms[i][uint64(k)%roomSize]
	}
	return v
}

// Set returns a map in which k has the value v. A negative key is a
// programming error and panics.
func (d Dense[K, V]) Set(k K, v V) Dense[K, V] { return d.SetAll([]Entry[K, V]{{k, v}}) }

// SetAll is Set for many entries at once, sorted by key.
func (d Dense[K, V]) SetAll(entries []Entry[K, V]) Dense[K, V] {
	if len(entries) == 0 {
		return d
	}
	if entries[0].Key < 0 {
		panic("intmap: negative key")
	}
	rooms := slices.Clone(d.rooms)
	if last := int(entries[len(entries)-1].Key / roomSize); last >= len(rooms) {
		for empty := new(room[V]); len(rooms) <= last; {
			rooms = append(rooms, empty)
		}
	}
	copied := -1
	for _, e := range entries {
		if i := int(e.Key / roomSize); i != copied {
			r := *rooms[i]
			rooms[i], copied = &r, i
		}
		rooms[copied][e.Key%roomSize] = e.Value
	}
	return Dense[K, V]{rooms}
}
