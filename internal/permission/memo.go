package permission

import (
	"iter"
	"slices"
	"sync/atomic"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/intmap"
)

// memo remembers what the resolver answered about tables and databases, so
// that a check which was made before costs a look-up. It decides nothing: what
// is not in it is asked of the resolver.
//
// Every user's record, every database and every shelf of eight neighbouring
// tables of a graph bears a stamp, and whatever may change an answer renews
// one: a person's groups, attributes or state the person's; a level, policy,
// mark, or table those of its database and of all shelves that the database has
// tables on. No two states have the same stamp, in whatever graph, so an answer
// that was filed under two stamps holds wherever both of them stand, and one
// that no longer holds is never found again. Graphs made from each other share
// one memo.
//
// It is a block of memory of bounded size, without pointers. An answer is filed
// in the first free one of eight lines from where its key says, and stays there
// as long as the block: a line that has a key never gets another. When half
// of the lines are taken a fresh block takes the place of this one,
// larger if it may be, and what is asked again is moved there. Look-ups take no
// lock and do not allocate.
type memo struct {
	people atomic.Uint64 // the last stamp of a person that was given out
	things atomic.Uint64 // the same of databases and shelves
	lines  atomic.Pointer[block]
	was    atomic.Pointer[block] // the block before
	limit  uint64                // lines of a block at most
	filed  atomic.Int64          // lines of the block that are taken
}

// line is what one person may do with a shelf of tables, or with a database.
// Its key is the person's stamp and the shelf's or the database's. Its value,
// of a shelf, has a byte for each table, with a bit for each right and one that
// tells that they are known; of a database see rememberedDatabase. Bits are
// only ever added.
type line struct {
	key, value atomic.Uint64
}

const (
	setSize   = 4  // lines: a line of the processor's cache
	lineSize  = 16 // bytes
	ways      = 8  // lines in which one answer may be filed: a set and the next
	shelf     = 8  // tables
	known     = 1 << 7
	thingBits = 38 // of a key; the others are the person's stamp
	lastThing = 1<<thingBits - 1
	lastOne   = 1<<(64-thingBits) - 1
	writing   = 1 // the key of a line that is being written
)

// DefaultMemory is enough for a million shelves of answers at a time.
const DefaultMemory = 64 << 20

// shelfID is the number of a shelf.
type shelfID int64

func shelfOf(id catalog.TableID) shelfID { return shelfID(uint64(id) / shelf) }

// stamps are what the things of one state of a graph bear. 0 is not
// remembered.
type stamps struct {
	databases intmap.Dense[catalog.DatabaseID, uint64]
	shelves   intmap.Dense[shelfID, uint64]
}

// Remembering gives the graph a memory of answers of at most so many bytes,
// which graphs made from it share once they are [Graph.Settled]. People who
// were added before are not remembered: it is to be called on an empty graph.
func (g *Graph) Remembering(bytes int) *Graph {
	n := *g
	n.catalog = g.Catalog() // there is one from now on
	n.memory = &memo{limit: uint64(bytes) / lineSize / 2}
	n.memory.lines.Store(n.memory.first())
	for d := range n.Catalog().Databases() {
		n.renew(d.ID)
	}
	return n.Settled()
}

// Settled is the graph when no more changes are to follow at once: one that
// may use the memory. Others, such as drafts, ask the resolver each time, so
// that the stamps are renewed once for all changes of a database.
func (g *Graph) Settled() *Graph {
	if g.memory == nil || g.memo != nil {
		return g
	}
	n := *g
	n.stamp()
	n.stale, n.memo = intmap.Map[catalog.DatabaseID, struct{}]{}, n.memory
	return &n
}

// renew notes that answers about the database may be others from now on.
func (g *Graph) renew(d catalog.DatabaseID) {
	if g.memory != nil {
		g.memo, g.stale = nil, g.stale.Set(d, struct{}{})
	}
}

// renewTable is renew for a table's database.
func (g *Graph) renewTable(id catalog.TableID) {
	if t := g.Catalog().Table(id); t != nil {
		g.renew(t.Database)
	}
}

// renewCatalog is renew for the databases that differ from the old catalog. No
// shelf on which one of them had tables keeps its stamp.
func (g *Graph) renewCatalog(old *catalog.Snapshot) {
	if g.memory == nil {
		return
	}
	for d := range catalog.Changes(old, g.Catalog()) {
		g.renew(d)
		g.stamps.shelves = g.stamps.shelves.SetAll(g.memory.stamped(shelvesOf(old, d)))
	}
}

// stamp gives new stamps to what is stale.
func (g *Graph) stamp() {
	var shelves []shelfID
	for d := range g.stale.Keys() {
		g.stamps.databases = g.stamps.databases.Set(d, g.memory.thing())
		shelves = append(shelves, shelvesOf(g.Catalog(), d)...)
	}
	slices.Sort(shelves)
	g.stamps.shelves = g.stamps.shelves.SetAll(g.memory.stamped(slices.Compact(shelves)))
}

// shelvesOf are the shelves that tables of the database are on.
func shelvesOf(c *catalog.Snapshot, d catalog.DatabaseID) (all []shelfID) {
	for t := range c.Tables(d) {
		if s := shelfOf(t.ID); len(all) == 0 || all[len(all)-1] != s {
			all = append(all, s)
		}
	}
	return all
}

// stamped are new stamps for shelves.
func (m *memo) stamped(shelves []shelfID) []intmap.Entry[shelfID, uint64] {
	all := make([]intmap.Entry[shelfID, uint64], len(shelves))
	for i, s := range shelves {
		all[i] = intmap.Entry[shelfID, uint64]{Key: s, Value: m.thing()}
	}
	return all
}

// thing is a stamp for a database or a shelf.
func (m *memo) thing() uint64 { return next(&m.things, lastThing) }

// person is a stamp for a person's record, where it stands in a key.
func (m *memo) person() uint64 {
	if m == nil {
		return 0
	}
	return next(&m.people, lastOne) << thingBits
}

// next is a stamp that nothing else has; 0 when all have been given out since
// the start.
func next(given *atomic.Uint64, last uint64) uint64 {
	if given.Load() >= last {
		return 0
	}
	return given.Add(1)
}

// one is 1 for true, without a branch.
func one(b bool) (n uint64) {
	if b {
		n = 1
	}
	return n
}

// byteOf is where in a line's value a table stands.
func byteOf(id catalog.TableID) uint64 { return uint64(id) % shelf * 8 }

// ask looks further in the memo, and asks the resolver at last.
func (a Access) ask(r Right, id catalog.TableID) bool {
	m, thing := a.g.memo, a.g.stamps.shelves.Get(shelfOf(id))
	if thing == 0 {
		return a.decide(r, ATable(id), nil)
	}
	key := a.stamp | thing
	bits := m.lines.Load().get(key) >> byteOf(id)
	if bits&known == 0 {
		value := m.was.Load().get(key)
		if bits = value >> byteOf(id); bits&known == 0 {
			bits = known | a.tableBits(id)
			value |= bits << byteOf(id)
		}
		m.put(key, value, a.g)
	}
	return bits>>(r-SeeTable)&1 != 0
}

// tableBits asks the resolver for the four rights on a table.
func (a Access) tableBits(id catalog.TableID) uint64 {
	t := a.g.Catalog().Table(id)
	if t == nil || !t.Active() {
		return 0
	}
	return uint64(a.tableRights(t))
}

// rememberedDatabase answers a right on a database, from the memo when it can.
// Of each right it remembers whether it was asked, and the answer.
func (a Access) rememberedDatabase(r Right, d catalog.DatabaseID) bool {
	thing := a.g.stamps.databases.Get(d)
	if thing == 0 {
		return a.decide(r, ADatabase(d), nil)
	}
	key := a.stamp | thing
	bits := a.g.memo.lines.Load().get(key)
	asked := uint64(1) << (2 * uint(r-SeeDatabase))
	if bits&asked == 0 {
		bits |= asked
		if a.decide(r, ADatabase(d), nil) {
			bits |= asked << 1
		}
		a.g.memo.put(key, bits, a.g)
	}
	return bits&(asked<<1) != 0
}

// block is the lines, in sets; their number is a power of two, of which mask is
// one less, and one that takes what the last has no place for.
type block struct {
	mask uint64
	sets []set
}

type set [setSize]line

// hash says, masked, in which set an answer is filed first.
func hash(key uint64) uint64 { return key * 0x9E3779B97F4A7C15 >> 32 }

// at yields the lines in which an answer may be filed.
func (b *block) at(key uint64) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		first := hash(key) & b.mask
		for i := range uint64(ways) {
			if !yield(&b.sets[first+i/setSize][i%setSize]) {
				return
			}
		}
	}
}

// get is the value that was filed, or 0.
func (b *block) get(key uint64) uint64 {
	if b != nil {
		for l := range b.at(key) {
			if l.key.Load() == key {
				return l.value.Load()
			}
		}
	}
	return 0
}

// put files an answer, or adds to what is filed already. Where another is being
// filed at the same line it is not: it will be asked again.
func (m *memo) put(key, value uint64, g *Graph) {
	b := m.lines.Load()
	for l := range b.at(key) {
		if l.key.Load() == key {
			l.value.Or(value)
			return
		}
		if l.key.CompareAndSwap(0, writing) {
			l.value.Store(value)
			l.key.Store(key)
			if m.filed.Add(1) > 2*int64(b.mask) { // half of the lines
				m.replace(b, g)
			}
			return
		}
	}
}

// first is the block to begin with.
func (m *memo) first() *block {
	sets := uint64(64)
	for sets*setSize > m.limit && sets > 2 {
		sets /= 2
	}
	return newBlock(sets)
}

func newBlock(sets uint64) *block { return &block{sets - 1, make([]set, sets+1)} }

// replace puts a fresh block in the place of the old one: of twice the size, if
// it may have that and the graph has use for it.
func (m *memo) replace(old *block, g *Graph) {
	sets := old.mask + 1
	databases, tables := g.Catalog().Len()
	useful := 8 * uint64(g.users.Len()) * uint64(databases+tables/shelf)
	if 2*sets*setSize <= min(m.limit, useful) {
		sets *= 2
	}
	if m.lines.CompareAndSwap(old, newBlock(sets)) {
		m.filed.Store(0)
		m.was.Store(old)
	}
}
