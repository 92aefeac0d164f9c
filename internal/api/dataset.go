package api

import (
	"bytes"
	"encoding/json"
	"reflect"

	"github.com/sluice-bi/sluice/internal/dataset"
)

// datasetRoutes are about questions that are asked without being saved
// (reference 4.10).
func datasetRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/api/dataset", Reads: true, Need: person(), Raw: true, Body: questionWire{}, Answer: resultWire{}, Status: 202,
			Summary: "Ask a question", handle: (*API).ask},
		{Method: "POST", Path: "/api/dataset/native", Reads: true, Need: person(), Raw: true, Body: questionWire{}, Answer: nativeFormWire{},
			Summary: "Show the SQL of a question to people who may write SQL", handle: (*API).compileNative},
		{Method: "POST", Path: "/api/dataset/{format:text}", Reads: true, Need: person(), Form: true, Body: exportWire{}, Answer: Array{},
			Summary: "Ask a question and export its result", handle: (*API).exportQuestion},
	}
}

// questionWire is the outside of a question. Its inside is read by
// query.Parse, and the whole is kept as it was sent.
type questionWire struct {
	Database    *ID         `json:"database"`
	Type        *string     `json:"type"`
	Query       Object      `json:"query"`
	Native      Object      `json:"native"`
	LibType     *string     `json:"lib/type"`
	Stages      Array       `json:"stages"`
	Parameters  Array       `json:"parameters"`
	Constraints constraints `json:"constraints"`
	Context     *string     `json:"context"`
}

// constraints lower the row limits.
type constraints struct {
	MaxRows    *int `json:"max-results"`
	MaxRawRows *int `json:"max-results-bare-rows"`
}

// limits are the constraints as the door takes them.
func (c constraints) limits(q *dataset.Request) {
	q.MaxRows, q.MaxRawRows = max(orZero(c.MaxRows), 0), max(orZero(c.MaxRawRows), 0)
}

// readQuestion reads a question and keeps its bytes.
func readQuestion(data []byte) (questionWire, json.RawMessage, error) {
	var q questionWire
	if err := decodeJSON(data, reflect.ValueOf(&q).Elem()); err != nil {
		return q, nil, err
	}
	return q, bytes.TrimSpace(data), nil
}

func (a *API) ask(r *request) (any, error) {
	q, raw, err := readQuestion(r.raw)
	if err != nil {
		return nil, err
	}
	ask := dataset.Request{Query: raw, Context: "ad-hoc"}
	q.Constraints.limits(&ask)
	return a.answerQuery(r, ask, raw)
}

// exportWire is a question to export; in a form it is JSON text.
type exportWire struct {
	Query        objectOrText `json:"query" rule:"required"`
	FormatRows   *bool        `json:"format_rows"`
	PivotResults *bool        `json:"pivot_results"`
}

// objectOrText is a JSON object, or a string that holds the text of one.
type objectOrText json.RawMessage

func (o *objectOrText) fromWire(raw []byte) string {
	if text, ok := unquote(raw); ok {
		raw = bytes.TrimSpace([]byte(text))
	}
	if kindOf(raw) != "an object" || !json.Valid(raw) {
		return "a map, or a string that holds one as JSON"
	}
	*o = bytes.Clone(raw)
	return ""
}

func (*objectOrText) wireSchema() schema {
	return schema{"oneOf": []schema{typed("object"), {"type": "string", "contentMediaType": "application/json"}}}
}

func (a *API) exportQuestion(r *request) (any, error) {
	_, raw, err := readQuestion(bodyOf[exportWire](r).Query)
	if err != nil {
		return nil, err
	}
	return a.exportQuery(r, r.text("format"), dataset.Request{Query: raw})
}

// nativeFormWire is the SQL that a question becomes.
type nativeFormWire struct {
	Query  string `json:"query"`
	Params []any  `json:"params"`
}

// compileNative needs what writing the SQL oneself needs.
func (a *API) compileNative(r *request) (any, error) {
	_, raw, err := readQuestion(r.raw)
	if err != nil {
		return nil, err
	}
	return a.door.SQL(r.ctx(), r.access.User(), dataset.Request{Query: raw, Context: "sql-of-question"})
}
