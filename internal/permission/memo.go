package permission

import (
	"iter"
	"sync/atomic"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// memo remembers what the resolver answered about tables and databases, so
// that a check which was made before costs a look-up. It decides nothing: what
// is not in it is asked of the resolver.
//
// Every user's record and every database of a graph bear a stamp, and whatever
// may change an answer renews one: a person's groups, attributes or state the
// person's; a level, policy, mark, or table the database's. No two states have
// the same stamp, in whatever graph, so an answer that was filed under two
// stamps holds wherever both of them stand, and one that no longer holds is
// never found again. Graphs made from each other share one memo.
//
// It is a block of memory of bounded size, without pointers. An answer is filed
// in the first free one of eight lines from where its key says, and stays there
// as long as the block: a line that has a key never gets another. When half
// of the lines are taken a fresh block takes the place of this one,
// larger if it may be, and what is asked again is moved there. Look-ups take no
// lock and do not allocate.
type memo struct {
	stamp atomic.Uint64 // the last one given out
	lines atomic.Pointer[block]
	was   atomic.Pointer[block] // the block before
	limit uint64                // lines of a block at most
	filed atomic.Int64          // lines of the block that are taken
}

// line is what one person may do with eight neighbouring tables of a database,
// or with the database itself. Its key is the person's stamp and the shelf, its
// value the database's stamp and a bit for each answer. The value is there
// before the key.
type line struct {
	key, value atomic.Uint64
}

const (
	setSize   = 4                        // lines: a line of the processor's cache
	lineSize  = 16                       // bytes
	ways      = 8                        // lines in which one answer may be filed: a set and the next
	shelf     = 8                        // tables of a line
	shelfBits = 24                       // of a key; the others are the person's stamp
	valueBits = 32                       // of a value; the others are the database's stamp
	ofTheBase = 1<<shelfBits - 1 - 1<<16 // shelves from here on are of databases themselves
	writing   = 1                        // the key of a line that is being written
	lastStamp = 1<<valueBits - 1
)

// DefaultMemory is enough for a million shelves of answers at a time.
const DefaultMemory = 64 << 20

// Remembering gives the graph a memory of answers of at most so many bytes,
// which graphs made from it share. People who were added before are not
// remembered: it is to be called on an empty graph.
func (g *Graph) Remembering(bytes int) *Graph {
	n := *g
	n.catalog = g.Catalog() // there is one from now on
	n.memo = &memo{limit: uint64(bytes) / lineSize / 2}
	for d := range n.Catalog().Databases() {
		n.renew(d.ID)
	}
	return &n
}

// next is a stamp that nothing else has; 0, which is not remembered, when all
// four thousand million have been given out since the start.
func (m *memo) next() uint64 {
	if m == nil || m.stamp.Load() >= lastStamp {
		return 0
	}
	return m.stamp.Add(1)
}

// renew gives a database a stamp that no other state of it has.
func (g *Graph) renew(d catalog.DatabaseID) {
	if g.memo != nil && d > 0 {
		g.stamps = g.stamps.Set(d, g.memo.next())
	}
}

// renewTable renews the stamp of a table's database.
func (g *Graph) renewTable(id catalog.TableID) {
	if t := g.Catalog().Table(id); t != nil {
		g.renew(t.Database)
	}
}

// renewCatalog renews the stamps of the databases that differ from the old
// catalog.
func (g *Graph) renewCatalog(old *catalog.Snapshot) {
	if g.memo == nil {
		return
	}
	for d := range catalog.Changes(old, g.Catalog()) {
		g.renew(d)
	}
}

// one is 1 for true, without a branch.
func one(b bool) (n uint64) {
	if b {
		n = 1
	}
	return n
}

// bit is where a right on a table stands in a line's value.
func bit(r Right, id catalog.TableID) uint64 { return (uint64(id)%shelf*4 + uint64(r-SeeTable)) & 31 }

// ask looks further in the memo, and asks the resolver at last.
func (a Access) ask(r Right, id catalog.TableID, d catalog.DatabaseID, stamp uint64) bool {
	number := uint64(id) / shelf
	if stamp == 0 || number >= ofTheBase {
		return a.decide(r, ATable(id), nil)
	}
	key := a.stamp<<shelfBits | number
	m := a.g.memo
	bits, ok := m.lines.Load().get(key, stamp)
	if !ok {
		if bits, ok = m.was.Load().get(key, stamp); !ok {
			bits = a.shelf(d, catalog.TableID(number*shelf))
		}
		m.put(key, stamp, bits, a.g)
	}
	return bits>>bit(r, id)&1 != 0
}

// shelf asks the resolver for the four rights on each table of the database
// among the eight from the first.
func (a Access) shelf(d catalog.DatabaseID, first catalog.TableID) uint64 {
	var bits uint64
	for i := range catalog.TableID(shelf) {
		t := a.g.Catalog().Table(first + i)
		if t == nil || t.Database != d || !t.Active() {
			continue
		}
		bits |= uint64(a.tableRights(t)) << (i * 4)
	}
	return bits
}

// rememberedDatabase answers a right on a database, from the memo when it can.
// Of each right it remembers whether it was asked, and the answer.
func (a Access) rememberedDatabase(r Right, d catalog.DatabaseID) bool {
	stamp := a.g.stamps.Get(d)
	if stamp == 0 || d >= 1<<16 {
		return a.decide(r, ADatabase(d), nil)
	}
	key := a.stamp<<shelfBits | (ofTheBase + uint64(d))
	bits, _ := a.g.memo.lines.Load().get(key, stamp)
	asked := uint64(1) << (2 * uint(r-SeeDatabase))
	if bits&asked == 0 {
		bits |= asked
		if a.decide(r, ADatabase(d), nil) {
			bits |= asked << 1
		}
		a.g.memo.put(key, stamp, bits, a.g)
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

// hash says, in its lower bits, in which set an answer is filed first.
func hash(key, stamp uint64) uint64 {
	h := (key ^ stamp<<valueBits) * 0x9E3779B97F4A7C15
	return h ^ h>>32
}

// at yields the lines in which an answer may be filed.
func (b *block) at(key, stamp uint64) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		first := hash(key, stamp) & b.mask
		for i := range uint64(ways) {
			if !yield(&b.sets[first+i/setSize][i%setSize]) {
				return
			}
		}
	}
}

func (b *block) get(key, stamp uint64) (bits uint64, ok bool) {
	if b == nil {
		return 0, false
	}
	for l := range b.at(key, stamp) {
		if l.key.Load() == key {
			if value := l.value.Load(); value>>valueBits == stamp {
				return value & (1<<valueBits - 1), true
			}
		}
	}
	return 0, false
}

// put files an answer, or adds to what is filed already. Where another is being
// filed at the same line it is not: it will be asked again.
func (m *memo) put(key, stamp, bits uint64, g *Graph) {
	b := m.lines.Load()
	if b == nil {
		b = m.renew(nil, g)
	}
	for l := range b.at(key, stamp) {
		if l.key.Load() == key && l.value.Load()>>valueBits == stamp {
			l.value.Or(bits)
			return
		}
		if l.key.CompareAndSwap(0, writing) {
			l.value.Store(stamp<<valueBits | bits)
			l.key.Store(key)
			if m.filed.Add(1) > 2*int64(b.mask) { // half of the lines
				m.renew(b, g)
			}
			return
		}
	}
}

// renew puts a fresh block in the place of the old one: of twice the size, if
// it may have that and the graph has use for it.
func (m *memo) renew(old *block, g *Graph) *block {
	sets := uint64(64)
	for sets*setSize > m.limit && sets > 2 {
		sets /= 2
	}
	if old != nil {
		sets = old.mask + 1
		databases, tables := g.Catalog().Len()
		useful := 8 * uint64(g.users.Len()) * uint64(databases+tables/shelf)
		if 2*sets*setSize <= min(m.limit, useful) {
			sets *= 2
		}
	}
	fresh := &block{sets - 1, make([]set, sets+1)}
	if !m.lines.CompareAndSwap(old, fresh) {
		return m.lines.Load()
	}
	m.filed.Store(0)
	m.was.Store(old)
	return fresh
}
