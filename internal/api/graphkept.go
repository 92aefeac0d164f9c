package api

import (
	"bytes"
	"sync"

	"github.com/sluice-bi/sluice/internal/permission"
)

// keptText is the text of groups that were sent in an answer with all groups,
// so that the next one need not make it again: programs that provision read
// the whole graph for every change. It follows the graph by its differences:
// the text of what may have changed is dropped, the rest is sent as it stands.
// Administrators have an entry for every database, which are all alike; they
// are not kept. It never holds more than keptMost. The zero value holds nothing.
type keptText struct {
	mu    sync.Mutex
	of    *permission.Graph // whose text it is
	texts map[permission.GroupID][]byte
	bytes int
}

const (
	keptMost    = 16 << 20
	keptLargest = 256 << 10 // of one group
)

// follow drops the text that may not be what it would be in g. Only graphs
// that were published may be followed: in those a table that is in the catalog
// is there, whatever their revision.
func (k *keptText) follow(g *permission.Graph) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == g {
		return
	}
	if k.of == nil {
		k.texts = map[permission.GroupID][]byte{}
	} else {
		for id := range permission.SheetsChanged(k.of, g) {
			k.bytes -= len(k.texts[id])
			delete(k.texts, id)
		}
	}
	k.of = g
}

// get is the text of a group in g, or nil.
func (k *keptText) get(g *permission.Graph, id permission.GroupID) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of != g {
		return nil // another request has followed another graph meanwhile
	}
	return k.texts[id]
}

// put keeps the text of a group in g if there is room.
func (k *keptText) put(g *permission.Graph, id permission.GroupID, text []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of != g || k.texts[id] != nil || k.bytes+len(text) > keptMost {
		return
	}
	k.texts[id] = bytes.Clone(text)
	k.bytes += len(text)
}

// allKept writes all groups in both dialects, with the text that is kept.
func (o *graphOut) allKept(g *permission.Graph, k *keptText) error {
	k.follow(g)
	m := newEmitter(g)
	for gr := range g.Groups() {
		if text := k.get(g, gr.ID); text != nil {
			if err := o.add(text); err != nil {
				return err
			}
			continue
		}
		begin := len(o.buf)
		if gr.ID != permission.Administrators {
			o.hold = begin + keptLargest
		}
		if err := o.entries(m, gr.ID, both); err != nil {
			return err
		}
		if o.hold > 0 { // nothing of it was sent
			k.put(g, gr.ID, o.buf[begin:])
			o.hold = 0
		}
		if err := o.pass(); err != nil {
			return err
		}
	}
	return nil
}
