package intmap

import "slices"

// Dense is an immutable map for keys of which most have a value: two loads
// find one. It holds places for keys in rooms of 512; Set copies one room and
// the list of rooms. What was never set is the zero value. Its own zero value
// is the empty map.
type Dense[K Key, V any] struct {
	rooms []*room[V]
}

const roomSize = 512

type room[V any] [roomSize]V

// Get returns the value of k. It does not allocate.
func (d Dense[K, V]) Get(k K) (v V) {
	if i := uint64(k) / roomSize; i < uint64(len(d.rooms)) && d.rooms[i] != nil { // a negative k is a large i
		v = d.rooms[i][uint64(k)%roomSize]
	}
	return v
}

// Set returns a map in which k has the value v. A negative key is a
// programming error and panics.
func (d Dense[K, V]) Set(k K, v V) Dense[K, V] {
	if k < 0 {
		panic("intmap: negative key")
	}
	i := int(k / roomSize)
	rooms := slices.Clone(d.rooms)
	if missing := i + 1 - len(rooms); missing > 0 {
		rooms = append(rooms, make([]*room[V], missing)...)
	}
	r := &room[V]{}
	if rooms[i] != nil {
		*r = *rooms[i]
	}
	r[k%roomSize] = v
	rooms[i] = r
	return Dense[K, V]{rooms}
}
