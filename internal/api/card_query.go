package api

import (
	"encoding/json"

	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
)

// cardRunWire is what is sent to run a saved question. Nothing in it changes
// the question; parameters are values for the parameters it has.
type cardRunWire struct {
	Parameters   Array `json:"parameters"`
	IgnoreCache  *bool `json:"ignore_cache"`
	FormatRows   *bool `json:"format_rows"`
	PivotResults *bool `json:"pivot_results"`
}

func (a *API) runCard(r *request) (any, error) {
	c := r.object.(store.Card)
	return a.answerQuery(r, dataset.Request{Card: c.ID, Parameters: json.RawMessage(bodyOf[cardRunWire](r).Parameters), Context: "question"}, c.DatasetQuery)
}

func (a *API) exportCard(r *request) (any, error) {
	c := r.object.(store.Card)
	return a.exportQuery(r, r.text("format"), dataset.Request{Card: c.ID, Parameters: json.RawMessage(bodyOf[cardRunWire](r).Parameters)})
}
