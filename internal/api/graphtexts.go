package api

import (
	"slices"
	"sync"

	"github.com/sluice-bi/sluice/internal/permission"
)

// texts remembers what was said of whole groups, so that whoever reads the
// graph again and again, as programs that provision tenants do, costs the
// server what changed and the sending. What it may keep is bounded; beyond
// that, and for groups with very much to say, the text is made each time.
type texts struct {
	mu    sync.Mutex
	of    map[textKey]rememberedText
	bytes int
	full  bool // something found no room since forget
}

type textKey struct {
	group   permission.GroupID
	dialect dialect
}

type rememberedText struct {
	edition permission.Edition
	text    []byte
}

const (
	mostTexts = 16 << 20  // bytes that are kept in all
	mostText  = 384 << 10 // of one group
)

// get is what was said of a group in this edition; nil when that is not known.
func (t *texts) get(k textKey, e permission.Edition) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.of[k]; r.edition == e {
		return r.text
	}
	return nil
}

// put keeps a copy of a text in the place of an older edition's.
func (t *texts) put(k textKey, e permission.Edition, text []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[textKey]rememberedText{}
	}
	t.bytes -= len(t.of[k].text)
	delete(t.of, k)
	if t.bytes+len(text) > mostTexts {
		t.full = true
		return
	}
	t.of[k] = rememberedText{e, slices.Clone(text)}
	t.bytes += len(text)
}

// forget makes room, where there was none, by dropping what is not of the
// present graph: the text of groups that have gone, say.
func (t *texts) forget(g *permission.Graph) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.full {
		return
	}
	t.full = false
	for k, r := range t.of {
		if r.edition != g.Edition(k.group) {
			t.bytes -= len(r.text)
			delete(t.of, k)
		}
	}
}
