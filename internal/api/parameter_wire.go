package api

// parameterWire is what is asked of a parameter of a card or dashboard before
// it is saved. The list itself is kept as it was sent.
type parameterWire struct {
	ID   string  `json:"id" rule:"max=254"`
	Name *string `json:"name" rule:"max=254"`
	Slug *string `json:"slug" rule:"max=254"`
	Type *string `json:"type" rule:"max=254"`
}

// mappingWire is the same of what a parameter of a dashboard goes to.
type mappingWire struct {
	Parameter string `json:"parameter_id" rule:"max=254"`
	Card      *ID    `json:"card_id"`
}
