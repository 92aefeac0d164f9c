package store

import (
	"context"
	"slices"
	"time"
)

// layout writes the tabs and dashcards of one dashboard.
type layout struct {
	conn
	ctx       context.Context
	now       time.Time
	dashboard int64
}

// write makes the lists of a dashboard what n says; nil lists stay.
func (l layout) write(n, was Dashboard) error {
	if n.Dashcards != nil {
		if err := l.remove("dashcards", without(was.Dashcards, n.Dashcards, func(d Dashcard) int64 { return d.ID })); err != nil {
			return err
		}
	}
	tabs := map[int64]int64{} // the id a dashcard may name -> the stored id
	for _, t := range was.Tabs {
		tabs[t.ID] = t.ID
	}
	if n.Tabs != nil {
		written, err := l.writeTabs(n.Tabs, was.Tabs)
		if err != nil {
			return err
		}
		tabs = written
	}
	if n.Dashcards != nil {
		if err := l.checkCards(n.Dashcards, was.Dashcards); err != nil {
			return err
		}
		if err := l.writeDashcards(n.Dashcards, was.Dashcards, tabs); err != nil {
			return err
		}
	}
	if n.Tabs == nil {
		return nil
	}
	// Tabs go last: with a tab go the dashcards that still lie in it.
	return l.remove("dashboard_tabs", without(was.Tabs, n.Tabs, func(t Tab) int64 { return t.ID }))
}

func (l layout) writeTabs(tabs, were []Tab) (map[int64]int64, error) {
	ids := map[int64]int64{}
	for i, t := range tabs {
		_, twice := ids[t.ID]
		switch isNew := t.ID <= 0; {
		case twice && t.ID != 0:
			return nil, invalid("tabs", "The id %d is given to two tabs.", t.ID)
		case isNew:
			id, err := one(l.ctx, l.conn, value[int64], "insert into dashboard_tabs (dashboard_id, name, position, entity_id) values ($1, $2, $3, $4) returning id",
				l.dashboard, t.Name, i, newEntityID())
			if err != nil {
				return nil, err
			}
			ids[t.ID] = id
		case !slices.ContainsFunc(were, func(o Tab) bool { return o.ID == t.ID }):
			return nil, invalid("tabs", "Tab %d is not of this dashboard.", t.ID)
		default:
			if err := l.execOne(l.ctx, "update dashboard_tabs set name = $1, position = $2 where id = $3", t.Name, i, t.ID); err != nil {
				return nil, err
			}
			ids[t.ID] = t.ID
		}
	}
	return ids, nil
}

// writeDashcards writes the list; a tab is named by a key of tabs.
func (l layout) writeDashcards(now, were []Dashcard, tabs map[int64]int64) error {
	var series [][]any
	seen := map[int64]bool{}
	for _, d := range now {
		if d.ID > 0 && seen[d.ID] {
			return invalid("dashcards", "The id %d is given to two dashcards.", d.ID)
		}
		seen[d.ID] = true
		var tab *int64
		if d.Tab != nil {
			id, ok := tabs[*d.Tab]
			if !ok {
				return invalid("dashcards", "There is no tab %d in this dashboard.", *d.Tab)
			}
			tab = &id
		}
		row := []any{d.Card, tab, d.Row, d.Col, d.SizeX, d.SizeY, d.VisualizationSettings, d.ParameterMappings, d.InlineParameters, l.now}
		switch {
		case d.ID <= 0:
			id, err := one(l.ctx, l.conn, value[int64], `insert into dashcards (card_id, tab_id, place_row, place_col, size_x, size_y,
				visualization_settings, parameter_mappings, inline_parameters, updated_at, created_at, dashboard_id, entity_id)
				values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $12) returning id`, append(row, l.dashboard, newEntityID())...)
			if err != nil {
				return gone(err)
			}
			d.ID = id
		case !slices.ContainsFunc(were, func(o Dashcard) bool { return o.ID == d.ID }):
			return invalid("dashcards", "Dashcard %d is not of this dashboard.", d.ID)
		default:
			err := l.execOne(l.ctx, `update dashcards set card_id = $1, tab_id = $2, place_row = $3, place_col = $4, size_x = $5, size_y = $6,
				visualization_settings = $7, parameter_mappings = $8, inline_parameters = $9, updated_at = $10 where id = $11`, append(row, d.ID)...)
			if err != nil {
				return gone(err)
			}
		}
		for i, card := range d.Series {
			series = append(series, []any{d.ID, i, card})
		}
	}
	_, err := l.exec(l.ctx, "delete from dashcard_series where dashcard_id in (select id from dashcards where dashboard_id = $1)", l.dashboard)
	if err != nil || len(series) == 0 {
		return err
	}
	return gone(insertMany(l.ctx, l.conn, "insert into dashcard_series (dashcard_id, position, card_id)", series))
}

// remove deletes rows by their ids.
func (l layout) remove(table string, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	for _, part := range chunks(ids) {
		var w where
		in(&w, "id", part)
		if _, err := l.exec(l.ctx, "delete from "+table+w.String(), w.args...); err != nil {
			return err
		}
	}
	return nil
}

// without are the ids in were that are not in now.
func without[T any](were, now []T, id func(T) int64) []int64 {
	var ids []int64
	for _, o := range were {
		if !slices.ContainsFunc(now, func(n T) bool { return id(n) == id(o) }) {
			ids = append(ids, id(o))
		}
	}
	return ids
}

// checkCards refuses cards that are not there, or newly shown and archived.
func (l layout) checkCards(now, were []Dashcard) error {
	shown := map[int64]bool{}
	for _, d := range were {
		for _, id := range cardsOf(d) {
			shown[id] = true
		}
	}
	var wanted []int64
	for _, d := range now {
		for _, id := range cardsOf(d) {
			if !shown[id] {
				wanted = append(wanted, id)
			}
		}
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	if len(wanted) == 0 {
		return nil
	}
	archived := map[int64]bool{}
	for _, part := range chunks(wanted) {
		var w where
		in(&w, "id", part)
		_, err := list(l.ctx, l.conn, func(row scanner) (struct{}, error) {
			var id int64
			var is bool
			err := row.Scan(&id, &is)
			archived[id] = is
			return struct{}{}, err
		}, "select id, archived from cards"+w.String(), w.args...)
		if err != nil {
			return err
		}
	}
	for _, id := range wanted {
		switch is, there := archived[id]; {
		case !there:
			return invalid("dashcards", "There is no card %d.", id)
		case is:
			return invalid("dashcards", "Card %d is archived.", id)
		}
	}
	return nil
}

func cardsOf(d Dashcard) []int64 {
	if d.Card == nil {
		return d.Series
	}
	return append([]int64{*d.Card}, d.Series...)
}
