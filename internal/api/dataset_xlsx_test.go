package api

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/sluice-bi/sluice/internal/query"
)

// sheetOf reads the only sheet of a workbook with somebody else's reader, each
// cell as it is stored.
func sheetOf(t *testing.T, body []byte) [][]string {
	t.Helper()
	rows, err := bookOf(t, body).GetRows("Query result", excelize.Options{RawCellValue: true})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func bookOf(t *testing.T, body []byte) *excelize.File {
	t.Helper()
	book, err := excelize.OpenReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%v in %.100q", err, body)
	}
	t.Cleanup(func() {
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	return book
}

func TestAWorkbookHasTypedCells(t *testing.T) {
	const name = "Query result"
	long := strings.Repeat("é", 40_000)
	kinds := map[string]excelize.CellType{"number": excelize.CellTypeUnset, "text": excelize.CellTypeInlineString, "boolean": excelize.CellTypeBool}
	cases := []struct {
		column query.Column
		value  any
		kind   string // "" for no cell
		raw    string
		shown  string // "" as raw
	}{
		{query.Column{BaseType: "type/Integer"}, int64(42), "number", "42", ""},
		{query.Column{BaseType: "type/BigInteger"}, int64(-999999999999999), "number", "-999999999999999", ""},
		{query.Column{BaseType: "type/BigInteger"}, int64(9007199254740993), "text", "9007199254740993", ""},
		{query.Column{BaseType: "type/Float"}, 1.5e-9, "number", "1.5e-09", ""},
		{query.Column{BaseType: "type/Decimal"}, json.Number("12.340"), "number", "12.34", ""},
		{query.Column{BaseType: "type/Decimal"}, json.Number("1234567890123456.78"), "text", "1234567890123456.78", ""},
		{query.Column{BaseType: "type/Boolean"}, true, "boolean", "1", "TRUE"},
		{query.Column{BaseType: "type/Boolean"}, false, "boolean", "0", "FALSE"},
		{query.Column{BaseType: "type/Text"}, nil, "", "", ""},
		{query.Column{BaseType: "type/Text"}, "2026-01-02T00:00:00Z", "text", "2026-01-02T00:00:00Z", ""},
		{query.Column{BaseType: "type/Date"}, "2026-01-02T00:00:00Z", "number", "46024", "2026-01-02"},
		{query.Column{BaseType: "type/DateTime"}, "2026-01-02T12:00:00Z", "number", "46024.5", "2026-01-02 12:00:00"},
		{query.Column{BaseType: "type/DateTimeWithLocalTZ"}, "2026-01-02T06:00:00+02:00", "number", "46024.25", "2026-01-02 06:00:00"},
		{query.Column{BaseType: "type/DateTime", Unit: "month"}, "2026-01-01T00:00:00Z", "number", "46023", "2026-01-01"},
		{query.Column{BaseType: "type/Date"}, "9999-12-31T00:00:00Z", "number", "2958465", "9999-12-31"},
		{query.Column{BaseType: "type/Date"}, "1899-12-31T00:00:00Z", "text", "1899-12-31T00:00:00Z", ""},
		{query.Column{BaseType: "type/Date"}, "someday", "text", "someday", ""},
		{query.Column{BaseType: "type/Text"}, "=1+1", "text", "=1+1", ""},
		{query.Column{BaseType: "type/Text"}, ` <a href="x">&amp; `, "text", ` <a href="x">&amp; `, ""},
		{query.Column{BaseType: "type/Text"}, "a\tb\nc", "text", "a\tb\nc", ""},
		{query.Column{BaseType: "type/Text"}, "_x0041_ and _x00", "text", "_x0041_ and _x00", ""},
		{query.Column{BaseType: "type/Text"}, "bad \xff byte", "text", "bad \ufffd byte", ""},
		{query.Column{BaseType: "type/Text"}, long, "text", long[:2*32_767], ""},
		{query.Column{BaseType: "type/Array"}, json.RawMessage(`[1,2]`), "text", "[1,2]", ""},
	}
	var out bytes.Buffer
	table := newXLSX(&out)
	columns, names, values := make([]query.Column, len(cases)), make([]string, len(cases)), make([]any, len(cases))
	for i, c := range cases {
		columns[i], names[i], values[i] = c.column, "=name", c.value
	}
	for _, step := range []func() error{func() error { return table.begin(columns, names) }, func() error { return table.row(values) }, table.end} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	book := bookOf(t, out.Bytes())
	for i, c := range cases {
		cell := lettersOf(i) + "2"
		kind, err := book.GetCellType(name, cell)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := book.GetCellValue(name, cell, excelize.Options{RawCellValue: true})
		if err != nil {
			t.Fatal(err)
		}
		shown, err := book.GetCellValue(name, cell)
		if err != nil {
			t.Fatal(err)
		}
		if raw != c.raw || kind != kinds[c.kind] || c.shown != "" && shown != c.shown {
			t.Errorf("%.60v in a column %s: %.60q of the kind %v, shown as %.60q", c.value, c.column.BaseType, raw, kind, shown)
		}
		if formula, err := book.GetCellFormula(name, cell); err != nil || formula != "" {
			t.Errorf("%v is the formula %q, %v", c.value, formula, err)
		}
	}
	// What begins like a formula stays text when somebody edits the cell.
	style := func(cell string) *bool {
		id, err := book.GetCellStyle(name, cell)
		if err != nil {
			t.Fatal(err)
		}
		return book.Styles.CellXfs.Xf[id].QuotePrefix
	}
	for i, c := range cases {
		text, _ := c.value.(string)
		if quoted := style(lettersOf(i) + "2"); (quoted != nil && *quoted) != strings.HasPrefix(text, "=") {
			t.Errorf("%.60v: quoted %v", c.value, quoted)
		}
	}
	if quoted := style("A1"); quoted == nil || !*quoted {
		t.Error("the name of a column is a formula for who edits it")
	}
}

func TestAWorkbookOfADatabaseHasItsDatesAndNumbers(t *testing.T) {
	s := settledWorld(t)
	id, at := s.fieldNamed("orders", "id"), s.fieldNamed("orders", "created_at")
	question := s.question(s.tableNamed("orders"), fields{"limit": 1, "order-by": []any{[]any{"asc", []any{"field", id, nil}}},
		"fields": []any{[]any{"field", id, nil}, []any{"field", at, nil}}})
	want := s.member().post("/api/dataset", question).result().Data.Rows[0][1].(string)
	r := s.member().post("/api/dataset/xlsx", fields{"query": question, "format_rows": true, "pivot_results": false}).want(200)
	if r.header.Get("Content-Type") != xlsxKind || !strings.HasSuffix(r.header.Get("Content-Disposition"), `.xlsx"`) {
		t.Errorf("%v", r.header)
	}
	book := bookOf(t, r.body)
	rows, err := book.GetRows("Query result")
	if err != nil || len(rows) != 2 || rows[0][0] != "ID" || rows[1][0] != "1" {
		t.Fatalf("%v, %v", rows, err)
	}
	when, err := time.Parse(time.RFC3339, want)
	if err != nil {
		t.Fatal(err)
	}
	if got := rows[1][1]; got != when.Format(time.DateTime) {
		t.Errorf("%s is shown as %s", want, got)
	}
}

// A sheet is written while its rows come: what is held does not grow with them.
func TestAWorkbookIsNotHeldInMemory(t *testing.T) {
	var out bytes.Buffer
	table := newXLSX(&out)
	if err := table.begin([]query.Column{{BaseType: "type/Text"}}, []string{"n"}); err != nil {
		t.Fatal(err)
	}
	most, total := 0, 0
	for i := range 50_000 {
		if err := table.row([]any{strings.Repeat("x", i%97) + time.Unix(int64(i)*7919, 0).UTC().String()}); err != nil {
			t.Fatal(err)
		}
		most, total = max(most, out.Len()), total+out.Len()
		out.Reset()
	}
	if most > 256<<10 || total < 4*most {
		t.Errorf("of %d bytes, %d came at once", total, most)
	}
}
