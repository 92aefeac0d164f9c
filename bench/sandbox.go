package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

// tenantShown is the tenant whose rows are shown: one of a hundred.
const tenantShown = 7

// sandbox measures questions of somebody who sees the rows of one tenant, beside
// the same with the tenant's filter written by hand by somebody who sees all.
func (b *bench) sandbox() error {
	rows := pick(b.quick, 20_000, 1_000_000)
	s, places, err := b.places(rows)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, p := range places {
		defer p.db.Close()
		for _, q := range []string{"create index events_tenant on events (tenant)", map[string]string{"SQLite": "analyze", "PostgreSQL": "vacuum analyze events"}[p.name]} {
			if _, err := p.db.ExecContext(b.ctx, q); err != nil {
				return err
			}
		}
		who, err := b.tenant(s, p)
		if err != nil {
			return err
		}
		field := func(i int) any { return []any{"field", p.fields[i], nil} }
		sum, count := []any{"sum", field(3)}, []any{"count"}
		for _, q := range []struct {
			name string
			ask  map[string]any
			by   any // a filter of the question's own
		}{
			{"a sum", map[string]any{"aggregation": []any{sum}}, nil},
			{"counts by kind", map[string]any{"aggregation": []any{count}, "breakout": []any{field(2)}}, nil},
			{"a row by its key", map[string]any{}, []any{"=", field(0), rows/200*100 + tenantShown}},
			{"a text that contains another", map[string]any{"aggregation": []any{count}}, []any{"contains", field(4), "99"}},
		} {
			if err := b.confined(s, p, who, q.name, q.ask, q.by); err != nil {
				return err
			}
		}
		if p.name != "SQLite" {
			var held struct{ Governs bool }
			if err := s.askFor(&held, "POST", fmt.Sprintf("/api/database/%d/governance", p.id), `{"slots": 2}`); err != nil {
				return err
			}
			b.demand("SQL is held to what people may see, "+p.name, "yes", held.Governs, "%v", held.Governs)
		}
		key := fmt.Sprint(" where id = ", rows/200*100+tenantShown)
		for _, q := range []struct{ name, before, where, after string }{
			{"a sum", "select sum(amount) from events", "", ""},
			{"counts by kind", "select kind, count(*) from events", "", " group by kind order by kind"},
			{"a row by its key", "select * from events", key, ""},
		} {
			byHand := fmt.Sprint(" where tenant = ", tenantShown)
			if q.where != "" {
				byHand = q.where + " and" + strings.TrimPrefix(byHand, " where")
			}
			if p.name == "SQLite" && q.where != "" {
				continue // the barrier lets no condition in
			}
			if err := b.typed(s, p, who, q.name, q.before+q.where+q.after, q.before+byHand+q.after); err != nil {
				return err
			}
		}
	}
	return nil
}

// typed measures SQL that somebody types. What it costs more is told apart from
// what each statement costs, which is a connection with views, or a lease.
func (b *bench) typed(s *server, p *place, who permission.UserID, name, text, byHand string) error {
	body := func(text string) string {
		q := map[string]any{"database": p.id, "type": "native", "native": map[string]any{"query": text}}
		out, err := json.Marshal(q)
		if err != nil {
			panic(err) // texts and numbers
		}
		return string(out)
	}
	as := []string{"X-Sluice-View-As", fmt.Sprint("user:", who)}
	if err := b.sameRows(s, p, "SQL for "+name, body(text), body(byHand), as); err != nil {
		return err
	}
	v, err := b.beside(s, body(text), body(byHand), as)
	if err != nil {
		return err
	}
	const constant = 5 * time.Millisecond
	b.demandTime("SQL for "+name+", sandboxed : with the filter by hand, "+p.name, "at most 1.3x and 5 ms", v.is <= v.baseline*13/10+constant, "%.2fx (%s : %s)", v.ratio(), short(v.is), short(v.baseline))
	return nil
}

// sameRows demands that both questions give the same, and something.
func (b *bench) sameRows(s *server, p *place, name, first, second string, as []string) error {
	var same [2]struct {
		Data struct{ Rows json.RawMessage }
	}
	if err := errors.Join(s.askFor(&same[0], "POST", "/api/dataset", first, as...), s.askFor(&same[1], "POST", "/api/dataset", second)); err != nil {
		return err
	}
	is, was := string(same[0].Data.Rows), string(same[1].Data.Rows)
	b.demand("the rows of "+name+", "+p.name, "the same", is == was && is != "[]" && is != "[[0]]", "%d bytes : %d", len(is), len(was))
	return nil
}

// beside times two questions in turn.
func (b *bench) beside(s *server, first, second string, as []string) (versus, error) {
	var runs []versus
	for range b.runs() {
		v, err := interleaved(byWall, pick(b.quick, 2, 40), func() error {
			_, err := s.ask(io.Discard, "POST", "/api/dataset", first, as...)
			return err
		}, func() error {
			_, err := s.ask(io.Discard, "POST", "/api/dataset", second)
			return err
		})
		if err != nil {
			return v, err
		}
		runs = append(runs, v)
	}
	return best(runs), nil
}

// confined measures one question.
func (b *bench) confined(s *server, p *place, who permission.UserID, name string, ask map[string]any, by any) error {
	text := func(filter any) string {
		q := map[string]any{"source-table": p.table}
		for k, v := range ask {
			q[k] = v
		}
		if filter != nil {
			q["filter"] = filter
		}
		body, err := json.Marshal(map[string]any{"database": p.id, "type": "query", "query": q})
		if err != nil {
			panic(err) // texts and numbers
		}
		return string(body)
	}
	tenant := []any{"=", []any{"field", p.fields[1], nil}, tenantShown}
	byHand := any(tenant)
	if by != nil {
		byHand = []any{"and", tenant, by}
	}
	as := []string{"X-Sluice-View-As", fmt.Sprint("user:", who)}
	if err := b.sameRows(s, p, name, text(by), text(byHand), as); err != nil {
		return err
	}
	v, err := b.beside(s, text(by), text(byHand), as)
	if err != nil {
		return err
	}
	b.demandTime(name+", sandboxed : with the filter by hand, "+p.name, "at most 1.2x", v.ratio() <= 1.2, "%.2fx (%s : %s)", v.ratio(), short(v.is), short(v.baseline))
	return nil
}

// tenant makes somebody who sees the rows of one tenant of a place.
func (b *bench) tenant(s *server, p *place) (permission.UserID, error) {
	var group, person struct{ ID int64 }
	if err := s.askFor(&group, "POST", "/api/permissions/group", fmt.Sprintf(`{"name": "one tenant of %s"}`, p.name)); err != nil {
		return 0, err
	}
	body := fmt.Sprintf(`{"email": "tenant-%s@example.com", "password": "a long enough one", "group_ids": [1, %d], "login_attributes": {"tenant": "%d"}}`, p.name, group.ID, tenantShown)
	if err := s.askFor(&person, "POST", "/api/user", body); err != nil {
		return 0, err
	}
	gid, table := permission.GroupID(group.ID), catalog.TableID(p.table)
	_, err := s.store.Change(b.ctx, store.Actor{}, func(g *permission.Graph) ([]permission.Change, store.Bump, error) {
		d := g.Draft()
		at, db := permission.OneTable(table), catalog.DatabaseID(p.id)
		policy := &permission.Policy{Where: []permission.AttributeEquality{{Field: catalog.FieldID(p.fields[1]), Attribute: "tenant"}}}
		err := errors.Join(d.Set(gid, db, permission.View, at, permission.Sandboxed), d.SetCreate(gid, db, permission.WholeDatabase(), permission.Native), d.SetSandbox(gid, table, policy))
		changes, _ := d.Changes()
		return changes, store.Bump{Data: true}, err
	})
	return permission.UserID(person.ID), err
}
