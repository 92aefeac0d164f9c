package query_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// onEvents is a question on the events with these further keys.
func onEvents(keys string) string {
	return `{"database":1,"type":"query","query":{"source-table":7,` + keys + `}}`
}

// Wherever a field behind a foreign key stands, its table is decided on as any
// source is: one that the person may not query is refused, and a field that is
// not there is refused as well. Neither is told from the other by what else is
// wrong with the question.
func TestAFieldBehindAKeyIsRefusedWhereverItStands(t *testing.T) {
	for name, question := range map[string]string{
		"fields":               onEvents(`"fields":[%s]`),
		"filter":               onEvents(`"filter":["or",["=",["field",701,null],1],["not",["=",%s,"xyzzy"]]]`),
		"breakout":             onEvents(`"breakout":[%s]`),
		"aggregation":          onEvents(`"aggregation":[["+",["count"],["count-where",["=",%s,"x"]]]]`),
		"order":                onEvents(`"order-by":[["asc",%s]]`),
		"expression":           onEvents(`"expressions":{"e":["concat",%s,"x"]}`),
		"unused expression":    onEvents(`"expressions":{"e":["concat",%s,"x"]},"fields":[["field",701,null]]`),
		"condition of a join":  onEvents(`"joins":[{"alias":"p","source-table":3,"condition":["=",%s,["field",302,{"join-alias":"p"}]]}]`),
		"fields of a join":     onEvents(`"joins":[{"alias":"p","source-table":3,"condition":["=",1,1],"fields":[%s]}]`),
		"stage below":          `{"database":1,"query":{"source-query":{"source-table":7,"fields":[%s]}}}`,
		"joined stage":         onEvents(`"joins":[{"alias":"p","source-query":{"source-table":7,"filter":["is-null",%s]},"condition":["=",1,1]}]`),
		"parameter":            `{"database":1,"query":{"source-table":7},"parameters":[{"type":"category","value":"x","target":["dimension",%s]}]}`,
		"parameter of a stage": `{"database":1,"query":{"source-query":{"source-table":7}},"parameters":[{"type":"category","value":"x","target":["dimension",%s,{"stage-number":0}]}]}`,
		"stretch of time":      onEvents(`"filter":["time-interval",%s,-1,"day"]`),
		"beside a mistake":     onEvents(`"fields":[["field",99999,null],%s]`),
		"without its key":      `{"database":1,"query":{"source-table":3,"fields":[%s]}}`,
	} {
		for _, field := range []int{502, 59999} {
			t.Run(fmt.Sprintf("%s %d", name, field), func(t *testing.T) {
				q := parse(t, fmt.Sprintf(question, fmt.Sprintf(`["field",%d,{"source-field":708}]`, field)))
				for _, saved := range []bool{false, true} {
					s := source(t, builder)
					s.Saved = saved
					if st, err := query.Compile(q, s); !denied(err) || !st.IsZero() {
						t.Errorf("saved %v: got %v, %q; want a refusal and no statement", saved, err, st.SQL())
					}
					if err := query.Allowed(q, s); !denied(err) {
						t.Errorf("saved %v: Allowed says %v, want a refusal", saved, err)
					}
				}
				if name == "fields" && field == 502 {
					if _, err := query.Compile(q, source(t, admin)); err != nil {
						t.Errorf("the administrator gets %v", err)
					}
				}
			})
		}
	}
}

// What a saved question reaches through a key counts for whoever builds on it,
// and so does what its metrics, SQL and snippets name.
func TestWhatSavedQuestionsReachIsDecidedToo(t *testing.T) {
	texts := map[int64]string{
		101: onEvents(`"fields":[["field",502,{"source-field":708}]]`),
		102: onEvents(`"aggregation":[["max",["field",502,{"source-field":708}]]]`),
		103: `{"database":1,"native":{"query":"select 1 from events where {{x}}","template-tags":{"x":{"type":"dimension","dimension":["field",502,null]}}}}`,
		104: `{"database":1,"native":{"query":"select * from {{#6}} as x"}}`,
		105: `{"database":1,"native":{"query":"select 1 where {{snippet: a secret}}"}}`,
	}
	for id := range texts {
		for name, question := range map[string]string{
			"source": `{"database":1,"query":{"source-table":"card__%d"}}`,
			"join":   onEvents(`"joins":[{"alias":"x","source-table":"card__%d","condition":["=",1,1]}]`),
			"metric": onEvents(`"aggregation":[["metric",%d]]`),
		} {
			s := source(t, builder)
			s.Card = func(id int64) (*query.Card, error) {
				if text, ok := texts[id]; ok {
					return &query.Card{ID: id, Query: parse(t, text), Collection: open}, nil
				}
				return lookup(id)
			}
			q := parse(t, fmt.Sprintf(question, id))
			if _, err := query.Compile(q, s); !denied(err) {
				t.Errorf("%s of card %d: got %v, want a refusal", name, id, err)
			}
			if err := query.Allowed(q, s); !denied(err) {
				t.Errorf("%s of card %d: Allowed says %v, want a refusal", name, id, err)
			}
		}
	}
}

// SQL typed by people runs on an engine that holds it to tables for everybody
// who may run it; on one that does not, only for those from whom no row of the
// database is hidden. A part of a question that is SQL is no exception.
func TestSQLIsHeldToTablesOrRefused(t *testing.T) {
	questions := map[string]string{
		"SQL":           `{"database":1,"native":{"query":"select 1"}}`,
		"SQL below":     `{"database":1,"query":{"source-table":"card__3"}}`,
		"SQL in a join": `{"database":1,"query":{"source-table":3,"joins":[{"alias":"n","source-table":"card__3","condition":["=",1,1]}]}}`,
	}
	for _, engine := range engines {
		for _, c := range []struct {
			who     permission.UserID
			bare    bool // secrets are not governed, and so blocked for nobody
			guarded bool // allowed where the engine holds SQL to tables
			always  bool // allowed everywhere
		}{
			{who: admin, guarded: true, always: true},
			{who: analyst, guarded: true, always: true},
			{who: builder, guarded: true},
			{who: tenant, guarded: true},
			{who: reader, guarded: true},
			{who: reader, bare: true, guarded: true, always: true},
			{who: tenant, bare: true, guarded: true},
			{who: builder, bare: true, guarded: true, always: true},
			{who: nobody},
		} {
			g := newGraphOn(t, engine)
			if c.bare {
				var err error
				if g, err = g.Apply(permission.SetTableMark{Table: secrets, From: g.Mark(secrets)}); err != nil {
					t.Fatal(err)
				}
			}
			for name, text := range questions {
				s := sourceOn(t, engine, c.who)
				s.Access, s.Saved = g.AccessOf(c.who), true
				q := parse(t, text)
				st, err := write(q, s)
				want := c.always || c.guarded && engine == "sqlite"
				if (err == nil) != want || err != nil && !denied(err) {
					t.Errorf("%s, person %d, bare %v, %s: got %v, want allowed %v", engine, c.who, c.bare, name, err, want)
				}
				if allowed := query.Allowed(q, s); (allowed == nil) != (err == nil) {
					t.Errorf("%s, person %d, bare %v, %s: Allowed says %v, writing it %v", engine, c.who, c.bare, name, allowed, err)
				}
				if err == nil && (!st.Native() || st.Engine() != engine) {
					t.Errorf("%s, %s: the statement does not say that a person wrote it, or where it runs", engine, name)
				}
			}
		}
	}
}

// A variable that filters by a column of a table that is closed to the person
// is refused, also one that stands nowhere in the SQL.
func TestVariablesOfSQLNeedTheirTables(t *testing.T) {
	for _, engine := range engines {
		s := sourceOn(t, engine, builder)
		s.Saved = true
		for _, text := range []string{
			`{"database":1,"native":{"query":"select 1 from orders where {{x}}","template-tags":{"x":{"type":"dimension","dimension":["field",502,null],"default":["x"]}}}}`,
			`{"database":1,"native":{"query":"select 1","template-tags":{"unused":{"type":"dimension","dimension":["field",502,null]}}}}`,
			`{"database":1,"native":{"query":"select 1","template-tags":{"unused":{"type":"dimension","dimension":["field",9999,null]}}}}`,
		} {
			if st, err := write(parse(t, text), s); !denied(err) || !st.IsZero() {
				t.Errorf("%s, %s: got %v, want a refusal", engine, text, err)
			}
		}
	}
}

// The values of field filters are bound, in all the ways in which they can be
// given.
func TestValuesOfFieldFiltersAreBound(t *testing.T) {
	const word = `zqx' or '1'='1`
	for _, widget := range []string{"string/=", "string/!=", "string/contains", "string/starts-with", "string/ends-with", "string/does-not-contain", "category", "id", "location/city"} {
		for _, engine := range engines {
			text := fmt.Sprintf(`{"database":1,"native":{"query":"select 1 from orders where {{x}} and {{y}}","template-tags":{
				"x":{"type":"dimension","dimension":["field",407,null],"widget-type":%q,"default":[%q]},"y":{"type":"dimension","dimension":["field",407,null],"widget-type":"category"}}},
				"parameters":[{"type":%q,"target":["dimension",["template-tag","y"]],"value":[%q,"two"]}]}`, widget, word, widget, word)
			st, err := query.Check(parse(t, text), sourceOn(t, engine, analyst))
			if err != nil {
				t.Errorf("%s: %v", widget, err)
				continue
			}
			if strings.Contains(st.SQL(), "zqx") || strings.Count(fmt.Sprint(st.Args()), "zqx") != 2 {
				t.Errorf("%s, %s: a value is not bound\n%s\n%v", engine, widget, st.SQL(), st.Args())
			}
		}
	}
}

// A table of ten thousand columns is refused in a sentence, and so is a
// question for so many.
func TestThousandsOfColumnsAreRefused(t *testing.T) {
	var fields []catalog.Field
	for i := range 10_000 {
		fields = append(fields, catalog.Field{ID: catalog.FieldID(100_000 + i), Name: fmt.Sprintf("c%d", i), BaseType: "type/Integer", Position: i})
	}
	s := source(t, admin)
	g := s.Access.Graph()
	with := g.Catalog().WithTable(catalog.Table{ID: 50, Database: shop, Name: "wide", Since: 1}, fields).
		WithTable(catalog.Table{ID: 51, Database: shop, Name: "narrower", Since: 1}, fields[:1200])
	s.Access = g.WithCatalog(with).AccessOf(admin)
	for text, want := range map[string]string{
		`{"database":1,"query":{"source-table":50}}`:                                  "table 50 cannot be read: it has 10000 columns",
		`{"database":1,"query":{"source-table":51}}`:                                  "has 1200 columns, more than 1000; name the fields that are needed",
		`{"database":1,"query":{"source-table":51,"fields":[["field",100007,null]]}}`: "",
	} {
		_, err := query.Compile(parse(t, text), s)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

// What a question reaches is told through keys, metrics, SQL and snippets too.
func TestWhatAQuestionReachesInAllWays(t *testing.T) {
	for _, c := range []struct {
		question string
		tables   []catalog.TableID
		cards    []int64
		native   bool
	}{
		{onOrders(`"filter":["=",["field",302,{"source-field":404}],"x"]`), []catalog.TableID{products, orders}, nil, false},
		{onOrders(`"aggregation":[["metric",12]]`), []catalog.TableID{orders}, []int64{10, 12}, false},
		{`{"database":1,"native":{"query":"select 1 from {{#1}} where {{x}} and {{snippet: a card}} and {{snippet: again}}","template-tags":{"x":{"type":"dimension","dimension":["field",302,null]}}}}`,
			[]catalog.TableID{products, orders}, []int64{1}, true},
		{`{"database":1,"query":{"source-table":"card__16"}}`, []catalog.TableID{orders}, []int64{1, 13, 16}, true},
	} {
		s := source(t, admin)
		r, err := query.ReachOf(parse(t, c.question), query.Source{Access: s.Access, Card: lookup, Snippet: snippet})
		if err != nil || !slices.Equal(r.Tables, c.tables) || !slices.Equal(r.Cards, c.cards) || r.Native != c.native {
			t.Errorf("%s reaches %+v, %v", c.question, r, err)
		}
	}
}
