package api

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/store"
)

// change is one thing that became another between two revisions.
type change struct {
	words string // as in "changed the description"
	// The field and what stood in it; "" where that is not told.
	field         string
	before, after any
}

// changesOf says how something became what it is. Neither collections nor what
// stands on a dashboard are told by name or id.
func changesOf(was, is store.Past) []change {
	switch {
	case was.TooLarge || is.TooLarge:
		return nil
	case is.Card != nil:
		return cardChanges(*was.Card, *is.Card)
	}
	return dashboardChanges(*was.Dashboard, *is.Dashboard)
}

// changes collects what differs.
type changes []change

func (all *changes) add(differs bool, words, field string, before, after any) {
	if differs {
		*all = append(*all, change{words, field, before, after})
	}
}

// text is for texts that are told in words.
func (all *changes) text(what, field, before, after string) {
	all.add(before != after, fmt.Sprintf("%s from %q to %q", what, before, after), field, before, after)
}

// optional is for what may be absent.
func (all *changes) optional(what, field string, before, after any) {
	words := "changed "
	switch {
	case reflect.ValueOf(before).IsNil():
		words = "added "
	case reflect.ValueOf(after).IsNil():
		words = "removed "
	}
	all.add(!reflect.DeepEqual(before, after), words+what, field, before, after)
}

// json is for documents, as the wire shows them.
func (all *changes) json(what, field, none string, before, after []byte) {
	all.add(!sameJSON(rawOr(before, none), rawOr(after, none)), "changed "+what, field, rawOr(before, none), rawOr(after, none))
}

// place is for where something lies.
func (all *changes) place(moved, before, after bool) {
	all.add(moved, "moved this to another collection", "", nil, nil)
	words := "restored this from the trash"
	if after {
		words = "moved this to the trash"
	}
	all.add(before != after, words, "archived", before, after)
}

func cardChanges(was, is store.Card) []change {
	var all changes
	all.text("renamed this", "name", was.Name, is.Name)
	all.optional("a description", "description", was.Description, is.Description)
	all.json("the question", "dataset_query", "null", was.DatasetQuery, is.DatasetQuery)
	all.add(cardType(was) != cardType(is), "turned this into a "+cardType(is), "type", cardType(was), cardType(is))
	all.text("changed the display", "display", was.Display, is.Display)
	all.json("the visualization settings", "visualization_settings", "{}", was.VisualizationSettings, is.VisualizationSettings)
	all.json("the parameters", "parameters", "[]", was.Parameters, is.Parameters)
	all.json("what the parameters go to", "parameter_mappings", "[]", was.ParameterMappings, is.ParameterMappings)
	all.optional("how long results are kept", "cache_ttl", was.CacheTTL, is.CacheTTL)
	all.place(was.Collection != is.Collection, was.Archived, is.Archived)
	return all
}

func dashboardChanges(was, is store.Dashboard) []change {
	var all changes
	all.text("renamed this", "name", was.Name, is.Name)
	all.optional("a description", "description", was.Description, is.Description)
	all.json("the filters", "parameters", "[]", was.Parameters, is.Parameters)
	all.text("changed the width", "width", was.Width, is.Width)
	all.add(was.AutoApplyFilters != is.AutoApplyFilters, "changed when filters apply", "auto_apply_filters", was.AutoApplyFilters, is.AutoApplyFilters)
	all.optional("how long results are kept", "cache_ttl", was.CacheTTL, is.CacheTTL)
	all.tabs(was.Tabs, is.Tabs)
	all.dashcards(was.Dashcards, is.Dashcards)
	all.place(was.Collection != is.Collection, was.Archived, is.Archived)
	return all
}

func (all *changes) tabs(was, is []store.Tab) {
	added, removed, both := compared(was, is, func(t store.Tab) int64 { return t.ID })
	all.counted("added", added, "tab")
	all.counted("removed", removed, "tab")
	renamed, moved := 0, false
	for i, pair := range both {
		if pair[0].Name != pair[1].Name {
			renamed++
		}
		moved = moved || i > 0 && both[i-1][0].Position > pair[0].Position
	}
	all.counted("renamed", renamed, "tab")
	all.add(moved, "put the tabs in another order", "", nil, nil)
}

func (all *changes) dashcards(was, is []store.Dashcard) {
	added, removed, both := compared(was, is, func(d store.Dashcard) int64 { return d.ID })
	all.counted("added", added, "card")
	all.counted("removed", removed, "card")
	replaced, series, set, moved := 0, 0, 0, 0
	for _, pair := range both {
		a, b := pair[0], pair[1]
		if orZero(a.Card) != orZero(b.Card) {
			replaced++
		}
		if !slices.Equal(a.Series, b.Series) {
			series++
		}
		if !sameJSON(rawOr(a.VisualizationSettings, "{}"), rawOr(b.VisualizationSettings, "{}")) ||
			!sameJSON(rawOr(a.ParameterMappings, "[]"), rawOr(b.ParameterMappings, "[]")) || !sameJSON(rawOr(a.InlineParameters, "[]"), rawOr(b.InlineParameters, "[]")) {
			set++
		}
		if a.Row != b.Row || a.Col != b.Col || a.SizeX != b.SizeX || a.SizeY != b.SizeY || orZero(a.Tab) != orZero(b.Tab) {
			moved++
		}
	}
	all.counted("replaced", replaced, "card")
	all.counted("changed the series of", series, "card")
	all.counted("changed the settings of", set, "card")
	all.counted("moved", moved, "card")
}

// compared tells how many were added and removed, and pairs the others in the
// order of now.
func compared[T any](was, is []T, id func(T) int64) (added, removed int, both [][2]T) {
	for _, n := range is {
		i := slices.IndexFunc(was, func(o T) bool { return id(o) == id(n) })
		if i < 0 {
			added++
			continue
		}
		both = append(both, [2]T{was[i], n})
	}
	return added, len(was) - len(both), both
}

// counted is for so many of something on a dashboard.
func (all *changes) counted(did string, n int, noun string) {
	words := fmt.Sprintf("%s %d %ss", did, n, noun)
	if n == 1 {
		words = did + " a " + noun
	}
	all.add(n > 0, words, "", nil, nil)
}

// sentence says what was changed; "" for nothing.
func sentence(all []change) string {
	if len(all) == 0 {
		return ""
	}
	words := make([]string, 0, len(all))
	for _, c := range all {
		words = append(words, c.words)
	}
	text := words[len(words)-1]
	if len(words) > 1 {
		text = strings.Join(words[:len(words)-1], ", ") + " and " + text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

func diffOf(all []change) *diffWire {
	d := &diffWire{map[string]any{}, map[string]any{}}
	for _, c := range all {
		if c.field != "" {
			d.Before[c.field], d.After[c.field] = c.before, c.after
		}
	}
	return d
}
