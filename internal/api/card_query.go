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

// request is the run of a card that is asked for.
func (b *cardRunWire) request(card int64, context string) dataset.Request {
	return dataset.Request{Card: card, Parameters: json.RawMessage(b.Parameters), Fresh: orZero(b.IgnoreCache), Context: context}
}

func (a *API) runCard(r *request) (any, error) {
	c := r.object.(store.Card)
	return a.answerQuery(r, bodyOf[cardRunWire](r).request(c.ID, "question"), c.DatasetQuery)
}

func (a *API) exportCard(r *request) (any, error) {
	c := r.object.(store.Card)
	return a.exportQuery(r, r.text("format"), bodyOf[cardRunWire](r).request(c.ID, ""))
}
