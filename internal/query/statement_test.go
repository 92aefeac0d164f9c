package query_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/query"
)

// What a native statement may read are the tables of which the person may
// see every row; what a structured one may read are the tables in it.
func TestStatementsCarryTheTablesTheyMayRead(t *testing.T) {
	sql := parse(t, `{"database":1,"native":{"query":"select 1"}}`)
	names := func(st query.Statement) string {
		var all []string
		for _, tb := range st.Tables() {
			if !st.Reads(tb.Schema, tb.Name) {
				t.Errorf("%v is listed and may not be read", tb)
			}
			all = append(all, tb.Name)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		who  permission.UserID
		want string
	}{
		{admin, `organizations people products orders secrets od"d table events`},
		{analyst, `organizations people products orders secrets od"d table events`},
		{reader, ``},
		{builder, `products orders events`},
		{tenant, `people products orders`},
		{coder, `people products orders`},
	} {
		s := source(t, c.who)
		s.Saved = true
		// The sample's tables that nobody wrote a level for are shown by the
		// collection; govern them all, so that the level alone decides.
		g := s.Access.Graph()
		var marks []permission.Change
		for _, id := range []catalog.TableID{organizations, people, products, orders, oddities, events} {
			marks = append(marks, permission.SetTableMark{Table: id, From: g.Mark(id), To: permission.TableMark{Governed: true}})
		}
		g, err := g.Apply(marks...)
		if err != nil {
			t.Fatal(err)
		}
		s.Access = g.AccessOf(c.who)
		st, err := query.Check(sql, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := names(st); got != c.want {
			t.Errorf("person %d may read %q, want %q", c.who, got, c.want)
		}
		if st.Reads("", "foreign") || st.Reads("main", "products") || st.Reads("", "Products") {
			t.Errorf("person %d may read a table by another name", c.who)
		}
		if !st.Native() || st.Columns() != nil || st.Limit() != 2000 || st.Database() != shop || st.Revision() != 3 {
			t.Errorf("the statement of person %d is not what was checked: %+v", c.who, st)
		}
	}
	st, err := query.Compile(parse(t, onOrders(`"joins":[{"source-table":3,"condition":["=",1,1]}]`)), source(t, admin))
	if err != nil || names(st) != "products orders" || st.Native() {
		t.Errorf("a structured question may read %q, %v", names(st), err)
	}
}

// The SQL behind a question is for people who may write SQL.
func TestTheNativeFormIsForPeopleWithNativeRights(t *testing.T) {
	for who, want := range map[permission.UserID]bool{admin: true, analyst: true, builder: false, tenant: false} {
		st, err := query.Compile(parse(t, onOrders(`"filter":["=",["field",401,null],5]`)), source(t, who))
		if err != nil {
			t.Fatal(err)
		}
		form, ok := st.NativeForm()
		if ok != want {
			t.Errorf("person %d is shown the SQL: %v, want %v", who, ok, want)
		}
		var read struct {
			Query  string
			Params []any
		}
		if ok && (json.Unmarshal(form, &read) != nil || read.Query != st.SQL() || len(read.Params) != 1) {
			t.Errorf("the native form is %s", form)
		}
	}
	if _, ok := (query.Statement{}).NativeForm(); ok {
		t.Error("the zero statement has a native form")
	}
}

// The row limit is the smaller of the person's and the server's, and the SQL
// asks for one row more only to tell that the server cut.
func TestTheRowLimit(t *testing.T) {
	for _, c := range []struct {
		keys  string
		limit int
		sql   string
	}{
		{``, 100, "LIMIT 101"},
		{`"limit":5`, 5, "LIMIT 5"},
		{`"limit":100`, 100, "LIMIT 100"},
		{`"limit":101`, 100, "LIMIT 101"},
		{`"limit":2147483648`, 100, "LIMIT 101"},
		{`"page":{"page":3,"items":10}`, 10, "LIMIT 10 OFFSET 20"},
		{`"page":{"page":3,"items":500}`, 100, "LIMIT 101 OFFSET 1000"},
		{`"aggregation":[["count"]]`, 100, "LIMIT 101"},
	} {
		s := source(t, admin)
		s.MaxRows = 100
		st, err := query.Compile(parse(t, onOrders(c.keys)), s)
		if err != nil || st.Limit() != c.limit || !strings.HasSuffix(st.SQL(), c.sql) {
			t.Errorf("%s: limit %d, %v\n%s\nwant %d and %s", c.keys, st.Limit(), err, st.SQL(), c.limit, c.sql)
		}
	}
}

// A statement cannot be altered through what it hands out.
func TestAStatementDoesNotChange(t *testing.T) {
	s := source(t, tenant)
	st, err := query.Compile(parse(t, onOrders("")), s)
	if err != nil {
		t.Fatal(err)
	}
	st.Args()[0] = int64(8)
	st.Tables()[0].Name = "secrets"
	c := st.Columns()[0]
	*c.ID, *c.SemanticType = 1, "type/x"
	if st.Args()[0] != int64(7) || st.Tables()[0].Name != "orders" {
		t.Error("the statement changed")
	}
	if f := s.Access.Graph().Catalog().Field(401); f.ID != 401 || f.SemanticType != "type/PK" {
		t.Error("the catalog changed")
	}
}

func TestWhatAQuestionReaches(t *testing.T) {
	for _, c := range []struct {
		question string
		tables   []catalog.TableID
		cards    []int64
		native   bool
	}{
		{onOrders(`"joins":[{"alias":"a","source-table":3,"condition":["=",1,1]},{"alias":"b","source-table":"card__7","condition":["=",1,1]}]`),
			[]catalog.TableID{3, 4, 5}, []int64{6, 7}, false},
		{`{"database":1,"query":{"source-query":{"source-query":{"source-table":"card__3"}}}}`, nil, []int64{3}, true},
		{`{"database":1,"native":{"query":"select 1"}}`, nil, nil, true},
	} {
		r, err := query.ReachOf(parse(t, c.question), query.Source{Card: lookup})
		if err != nil || !slices.Equal(r.Tables, c.tables) || !slices.Equal(r.Cards, c.cards) || r.Native != c.native {
			t.Errorf("%s reaches %+v, %v", c.question, r, err)
		}
	}
	for _, id := range []int{4, 404} {
		if r, err := query.ReachOf(parse(t, fmt.Sprintf(`{"database":1,"query":{"source-table":"card__%d"}}`, id)), query.Source{Card: lookup}); err == nil {
			t.Errorf("card %d reaches %+v", id, r)
		}
	}
}

// Saved questions that use each other twice, and many sources, are cut off
// before they become a huge statement.
func TestQuestionsOnQuestionsAreBounded(t *testing.T) {
	s := source(t, admin)
	s.Card = func(id int64) (*query.Card, error) {
		text := onOrders("")
		if id < 1000 {
			text = fmt.Sprintf(`{"database":1,"query":{"source-table":"card__%d","joins":[{"source-table":"card__%d","condition":["=",1,1]}]}}`, id+1, id+1)
		}
		return &query.Card{ID: id, Query: parse(t, text)}, nil
	}
	asked := 0
	counting := s
	counting.Card = func(id int64) (*query.Card, error) { asked++; return s.Card(id) }
	for _, from := range []int{1, 990, 995} {
		_, err := query.Compile(parse(t, fmt.Sprintf(`{"database":1,"query":{"source-table":"card__%d"}}`, from)), counting)
		var mistake *query.Error
		if !errors.As(err, &mistake) || !strings.Contains(err.Error(), "more than") {
			t.Errorf("from card %d: got %v, want a bound", from, err)
		}
	}
	if asked > 100 {
		t.Errorf("%d cards were looked up", asked)
	}
	if _, err := query.Compile(parse(t, `{"database":1,"query":{"source-table":"card__998"}}`), s); err != nil {
		t.Errorf("a few are refused: %v", err)
	}

	// Keys that each join a table, ranges that each read one, metrics and SQL that stand on themselves many times.
	keys, bins, metrics, sql := []string{}, []string{}, []string{}, []string{}
	for i := range 60 {
		keys = append(keys, fmt.Sprintf(`["field",301,{"source-field":404,"source-field-join-alias":"j%d"}]`, i))
		bins = append(bins, `["field",406,{"binning":{"strategy":"num-bins","num-bins":10}}]`)
		metrics = append(metrics, `["metric",10]`)
		sql = append(sql, `select * from {{#1}}`)
	}
	for name, text := range map[string]string{
		"keys":    onOrders(`"fields":[` + strings.Join(keys, ",") + `]`),
		"bins":    onOrders(`"aggregation":[["count"]],"breakout":[` + strings.Join(bins, ",") + `]`),
		"metrics": onOrders(`"aggregation":[` + strings.Join(metrics, ",") + `]`),
		"SQL":     `{"database":1,"native":{"query":"` + strings.Join(sql, " union ") + `"}}`,
	} {
		if _, err := write(parse(t, text), source(t, admin)); err == nil || !strings.Contains(err.Error(), "more than 50") {
			t.Errorf("%s: got %v, want a bound", name, err)
		}
	}

	// A thousand columns of a large expression.
	var fields []string
	large := `["field",401,null]`
	for range 40 {
		large = `["+",` + large + strings.Repeat(`,["*",1,2,3]`, 90) + `]`
	}
	for range 900 {
		fields = append(fields, `["expression","x"]`)
	}
	if _, err := query.Compile(parse(t, onOrders(`"expressions":{"x":`+large+`},"fields":[`+strings.Join(fields, ",")+`]`)), source(t, admin)); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("a thousand large columns: %v", err)
	}

	// Expressions that double each other.
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, `"e%d":["concat",["expression","e%d"],["expression","e%d"]],`, i+1, i, i)
	}
	text := onOrders(`"expressions":{` + b.String() + `"e0":["lower",["field",407,null]]},"fields":[["expression","e40"]]`)
	if _, err := query.Compile(parse(t, text), source(t, admin)); err == nil {
		t.Error("2^40 pieces were written")
	}
}

// As deep and wide as a question may be, the engine still takes it.
func TestTheDeepestAndWidestQuestionsRun(t *testing.T) {
	db := warehouse(t)
	deep := `["field",401,null]`
	for range 20 {
		deep = `["+",` + deep + strings.Repeat(`,["*",1,2,3]`, 60) + `]`
	}
	or := `["or"` + strings.Repeat(`,["and",["=",["field",401,null],1],["not",["<",["field",406,null],3]]]`, 1500) + `]`
	nested := `{"source-table":4}`
	for range 18 {
		nested = `{"source-query":` + nested + `}`
	}
	var joins []string
	for i := range 40 {
		joins = append(joins, fmt.Sprintf(`{"alias":"j%d","source-table":3,"condition":["=",["field",404,null],["field",301,{"join-alias":"j%d"}]]}`, i, i))
	}
	for name, text := range map[string]string{
		"expression": onOrders(`"expressions":{"x":` + deep + `},"fields":[["expression","x"]]`),
		"or":         onOrders(`"filter":` + or),
		"values":     onOrders(`"filter":["=",["field",401,null]` + strings.Repeat(",1", 9_000) + `]`),
		"stages":     `{"database":1,"query":` + nested + `}`,
		"joins":      onOrders(`"joins":[` + strings.Join(joins, ",") + `]`),
	} {
		st, err := query.Compile(parse(t, text), source(t, admin))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := run(db, st); err != nil {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// Parameters replace those of the question.
func TestParametersAreReplaced(t *testing.T) {
	q := parse(t, `{"database":1,"query":{"source-table":4},"parameters":[{"type":"id","target":["dimension",["field",401,null]],"value":1}]}`)
	count := func(q *query.Query) int {
		st, err := query.Compile(q, source(t, admin))
		if err != nil {
			t.Fatal(err)
		}
		return len(st.Args())
	}
	for given, want := range map[string]int{
		``: 0, `null`: 0, `[]`: 0,
		`[{"type":"id","target":["dimension",["field",401,null]],"value":[1,2,3]}]`: 3,
	} {
		changed, err := q.WithParameters([]byte(given))
		if err != nil || count(changed) != want {
			t.Errorf("%s: %v, %d arguments, want %d", given, err, count(changed), want)
		}
	}
	if count(q) != 1 {
		t.Error("the question itself changed")
	}
	_, err := q.WithParameters([]byte(`[{"value":1,"type":"x","target":["dimension",["field",1,null]]}]`))
	var mistake *query.Error
	if !errors.As(err, &mistake) || mistake.Path != "parameters[0]" {
		t.Errorf("got %v, want a mistake at parameters[0]", err)
	}
}

// The row limit that a server chooses depends on whether rows are put
// together at the end.
func TestWhatAQuestionIs(t *testing.T) {
	for _, c := range []struct {
		question           string
		database           catalog.DatabaseID
		native, aggregated bool
	}{
		{onOrders(""), shop, false, false},
		{onOrders(`"aggregation":[["count"]]`), shop, false, true},
		{onOrders(`"breakout":[["field",401,null]]`), shop, false, true},
		{`{"database":1,"query":{"source-query":{"source-table":4,"aggregation":[["count"]]}}}`, shop, false, false},
		{`{"database":"-1337","query":{"source-table":"card__1"}}`, 0, false, false},
		{`{"database":1,"native":{"query":"select count(*)"}}`, shop, true, false},
	} {
		q := parse(t, c.question)
		if q.Database() != c.database || q.Native() != c.native || q.Aggregated() != c.aggregated {
			t.Errorf("%s: database %d, native %v, aggregated %v", c.question, q.Database(), q.Native(), q.Aggregated())
		}
	}
}

func TestEnginesWithoutADialectAreRefused(t *testing.T) {
	for _, engine := range engines {
		if _, err := query.DialectOf(engine); err != nil {
			t.Error(err)
		}
	}
	for _, engine := range []string{"", "oracle", "h2"} {
		if _, err := query.DialectOf(engine); err == nil || !strings.Contains(err.Error(), "not supported yet") {
			t.Errorf("%q: got %v", engine, err)
		}
	}
	g := newGraph(t)
	s := source(t, admin)
	s.Access = g.WithCatalog(g.Catalog().WithDatabase(catalog.Database{ID: shop, Engine: "postgres"})).AccessOf(admin)
	for _, text := range []string{onOrders(""), `{"database":1,"native":{"query":"select 1"}}`} {
		if _, err := write(parse(t, text), s); err == nil {
			t.Errorf("%s is written in the SQL of another engine", text)
		}
	}
}
