package api

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/query"
)

const xlsxKind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

// What Excel can hold (ECMA-376 and Excel's limits).
const (
	maxCellText = 32_767 // UTF-16 units
	maxNumber   = 1e15   // from here on Excel forgets digits
)

// The formats of cells, by their place in xlsxStyles.
const (
	plainCell = iota
	dayCell
	momentCell
	quotedCell // text that stays text when somebody edits the cell
)

// The parts of a workbook of one sheet that are the same always.
const (
	xlsxTypes = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
		`<Default Extension="xml" ContentType="application/xml"/>` +
		`<Override PartName="/xl/workbook.xml" ContentType="` + xlsxKind + `.main+xml"/>` +
		`<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>` +
		`<Override PartName="/xl/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>`
	xlsxRelations = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`
	xlsxBook = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">` +
		`<sheets><sheet name="Query result" sheetId="1" r:id="rId1"/></sheets></workbook>`
	xlsxBookRelations = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
		`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>` +
		`<Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`
	xlsxStyles = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">` +
		`<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd"/><numFmt numFmtId="165" formatCode="yyyy\-mm\-dd\ hh:mm:ss"/></numFmts>` +
		`<fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts>` +
		`<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
		`<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>` +
		`<cellXfs count="4"><xf xfId="0"/><xf numFmtId="164" xfId="0" applyNumberFormat="1"/><xf numFmtId="165" xfId="0" applyNumberFormat="1"/>` +
		`<xf xfId="0" quotePrefix="1"/></cellXfs></styleSheet>`
	xlsxSheet = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`
	xlsxSheetEnd = `</sheetData></worksheet>`
)

// xlsxTable writes a workbook of one sheet while its rows come: what it holds
// is one row and what the compressor looks back at. Excel's own limit of rows
// is that of an export. Text is never a formula, whatever it begins with.
type xlsxTable struct {
	zip     *zip.Writer
	sheet   io.Writer
	columns []xlsxColumn
	rows    int
	line    bytes.Buffer
}

type xlsxColumn struct {
	letters string
	style   int // of its dates; plainCell where it holds none
}

func newXLSX(w io.Writer) *xlsxTable { return &xlsxTable{zip: zip.NewWriter(w)} }

func (t *xlsxTable) begin(columns []query.Column, names []string) error {
	for i, c := range columns {
		t.columns = append(t.columns, xlsxColumn{letters: lettersOf(i), style: dateStyle(c)})
	}
	for _, part := range [][2]string{{"[Content_Types].xml", xlsxTypes}, {"_rels/.rels", xlsxRelations}, {"xl/workbook.xml", xlsxBook},
		{"xl/_rels/workbook.xml.rels", xlsxBookRelations}, {"xl/styles.xml", xlsxStyles}, {"xl/worksheets/sheet1.xml", xlsxSheet}} {
		w, err := t.zip.Create(part[0])
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, part[1]); err != nil {
			return err
		}
		t.sheet = w
	}
	header := make([]any, len(names))
	for i, n := range names {
		header[i] = n
	}
	return t.write(header, false)
}

func (t *xlsxTable) row(values []any) error { return t.write(values, true) }

func (t *xlsxTable) write(values []any, dates bool) error {
	t.rows++
	number := strconv.Itoa(t.rows)
	t.line.Reset()
	t.line.WriteString(`<row r="` + number + `">`)
	for i, v := range values {
		c := t.columns[i]
		if !dates {
			c.style = plainCell
		}
		t.cell(c, number, v)
	}
	t.line.WriteString("</row>")
	_, err := t.sheet.Write(t.line.Bytes())
	return err
}

func (t *xlsxTable) end() error {
	if _, err := io.WriteString(t.sheet, xlsxSheetEnd); err != nil {
		return err
	}
	return t.zip.Close()
}

// cell writes a value as what it is. A number of more digits than Excel keeps
// is text, so that none is lost; what no sheet can hold is no cell.
func (t *xlsxTable) cell(c xlsxColumn, row string, v any) {
	number := func(digits string, style int) {
		t.line.WriteString(`<c r="` + c.letters + row + `" s="` + strconv.Itoa(style) + `"><v>` + digits + `</v></c>`)
	}
	switch v := v.(type) {
	case nil:
	case bool:
		digit := "0"
		if v {
			digit = "1"
		}
		t.line.WriteString(`<c r="` + c.letters + row + `" t="b"><v>` + digit + `</v></c>`)
	case int64:
		digits := strconv.FormatInt(v, 10)
		if -maxNumber < v && v < maxNumber {
			number(digits, plainCell)
		} else {
			t.text(c, row, digits)
		}
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			number(strconv.FormatFloat(v, 'g', -1, 64), plainCell)
		}
	case json.Number:
		if f, err := v.Float64(); err == nil && math.Abs(f) < maxNumber {
			number(strconv.FormatFloat(f, 'g', -1, 64), plainCell)
		} else {
			t.text(c, row, v.String())
		}
	case string:
		if days, ok := serial(v); ok && c.style != plainCell {
			number(strconv.FormatFloat(days, 'f', -1, 64), c.style)
		} else {
			t.text(c, row, v)
		}
	case json.RawMessage:
		t.text(c, row, string(v))
	}
}

func (t *xlsxTable) text(c xlsxColumn, row, s string) {
	style := plainCell
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		style = quotedCell
	}
	t.line.WriteString(`<c r="` + c.letters + row + `" s="` + strconv.Itoa(style) + `" t="inlineStr"><is><t xml:space="preserve">`)
	writeCellText(&t.line, s)
	t.line.WriteString(`</t></is></c>`)
}

// writeCellText writes text as far as a cell holds it. Characters that XML has
// not are written as _x0007_; what only looks like that keeps its sense.
func writeCellText(b *bytes.Buffer, s string) {
	units := 0
	for i, r := range s {
		if units++; r >= 0x10000 {
			units++
		}
		switch {
		case units > maxCellText:
			return
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '_' && looksEscaped(s[i:]):
			b.WriteString("_x005F_")
		case r < ' ' && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			code := strconv.FormatInt(int64(r), 16)
			b.WriteString("_x" + strings.Repeat("0", 4-len(code)) + strings.ToUpper(code) + "_")
		default:
			b.WriteRune(r) // U+FFFD in place of a byte that is no UTF-8
		}
	}
}

// looksEscaped tells whether text begins with what stands for a character.
func looksEscaped(s string) bool {
	if len(s) < len("_x0000_") || s[1] != 'x' || s[6] != '_' {
		return false
	}
	_, err := strconv.ParseUint(s[2:6], 16, 16)
	return err == nil
}

// lettersOf is what a sheet calls a column: A, B, ... Z, AA, ...
func lettersOf(i int) string {
	if i < 26 {
		return string(rune('A' + i))
	}
	return lettersOf(i/26-1) + string(rune('A'+i%26))
}

// dateStyle is how the dates of a column are shown.
func dateStyle(c query.Column) int {
	switch {
	case c.BaseType == "type/Date":
		return dayCell
	case !strings.HasPrefix(c.BaseType, "type/DateTime") && c.BaseType != "type/Instant":
		return plainCell
	}
	switch c.Unit {
	case "day", "week", "month", "quarter", "year":
		return dayCell
	}
	return momentCell
}

// sheetBegins is the day 0 of a sheet, 1899-12-30, in Unix time.
const sheetBegins = -25_569 * 24 * 60 * 60

// serial is a date as a sheet counts: in days, by the clock of the zone that it
// is told in. Excel has no dates before March 1900 that others agree about.
func serial(s string) (float64, bool) {
	if len(s) < len("2006-01-02T") || s[4] != '-' {
		return 0, false
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || at.Year() < 1900 || at.Year() > 9999 || at.Year() == 1900 && at.Month() < time.March {
		return 0, false
	}
	clock := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
	days := float64(clock.Unix()-sheetBegins) / (24 * 60 * 60)
	return days + float64(clock.Nanosecond())/float64(24*time.Hour), true
}
