package permission

import (
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"slices"
)

// Digest tells states apart: it is the sum of a hash of everything that is
// written in a graph. Where two differ, so do the states. It is stored: what it
// is of a state must not change.
type Digest int64

// After is the digest of the state that changes lead to. They must be changes
// that were applied: what they say they change from is what was there. The
// zero Digest is that of nothing.
func (d Digest) After(changes ...Change) Digest {
	var b []byte
	for _, c := range changes {
		b = appendTo(b[:0], c)
		d += hashOf(b)
		b = appendTo(b[:0], c.Inverse())
		d -= hashOf(b)
	}
	return d
}

// hashOf is 0 of nothing.
func hashOf(written []byte) Digest {
	if len(written) == 0 {
		return 0
	}
	sum := sha256.Sum256(written)
	return Digest(binary.LittleEndian.Uint64(sum[:8]))
}

// appendTo appends what a change leaves written, and nothing when that is
// nothing.
func appendTo(b []byte, change Change) []byte {
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	flag := func(is bool) {
		if is {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
	}
	begin := func(ids ...int64) {
		text(kindOf(change))
		for _, id := range ids {
			b = binary.AppendVarint(b, id)
		}
	}
	cell := func(k Kind, c Cell) {
		text(k.String())
		text(k.Word(c.Level))
		flag(c.Wide)
		b = binary.AppendVarint(b, int64(c.At))
	}
	switch c := change.(type) {
	case SetGroup:
		if c.To != nil {
			begin(int64(c.To.ID), int64(c.To.Since))
			text(c.To.Name)
			flag(c.To.Internal)
		}
	case SetUser:
		if c.To != nil {
			begin(int64(c.To.ID))
			text(c.To.Name)
			flag(c.To.Active)
			for _, name := range slices.Sorted(maps.Keys(c.To.Attributes)) {
				text(name)
				text(c.To.Attributes[name])
			}
		}
	case SetMembership:
		if c.To {
			begin(int64(c.User), int64(c.Group))
		}
	case SetDataAccess:
		if c.To.Set {
			begin(int64(c.Group), int64(c.Database), int64(c.Scope.Depth), int64(c.Scope.Table))
			text(c.Scope.Schema)
			cell(c.Kind, c.To)
			if c.To.Attribute != "" { // what earlier versions did not know
				text(c.To.Attribute)
			}
		}
	case SetCollectionAccess:
		if c.To.Set {
			begin(int64(c.Group), int64(c.Collection))
			cell(Collection, c.To)
		}
	case SetSandbox:
		if c.To != nil {
			begin(int64(c.To.Group), int64(c.To.Table), int64(c.To.At))
			for _, w := range c.To.Where {
				b = binary.AppendVarint(b, int64(w.Field))
				text(w.Attribute)
			}
			if p := c.To.Policy; p.AllRows || p.Columns != nil { // what earlier versions did not know
				flag(p.AllRows)
				flag(p.Columns != nil)
				for _, r := range p.Columns {
					b = binary.AppendVarint(b, int64(r.Field))
					text(string(r.Mask.Kind))
					b = binary.AppendVarint(b, int64(r.Mask.Last))
					text(r.Mask.Unit)
				}
			}
			if p := c.To.Policy; p.Card != 0 {
				b = binary.AppendVarint(b, p.Card)
				text(p.Seal)
				for _, v := range p.Variables {
					text(v.Variable)
					text(v.Attribute)
				}
			}
		}
	case SetTableMark:
		if c.To != (TableMark{}) {
			begin(int64(c.Table))
			flag(c.To.Governed)
			flag(c.To.Shared)
		}
	case SetStrict:
		if c.To {
			begin(int64(c.Database))
		}
	case SetCollection:
		if c.To != nil {
			begin(int64(c.To.ID), int64(c.To.Parent), int64(c.To.Owner))
			text(c.To.Name)
		}
	}
	return b
}
