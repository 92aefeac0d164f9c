package query

import "github.com/sluice-bi/sluice/internal/catalog"

// block is one stage of a structured question: what stands in "query" or
// "source-query".
type block struct {
	at           *node
	source       source
	joins        []join
	expressions  []expression
	filter       expr // nil for none
	aggregations []aggregation
	breakouts    []expr // *fieldRef or *expressionRef
	fields       []expr // nil for all; *fieldRef or *expressionRef
	orders       []order
	limit        int64 // 0 for none
	page         page
}

// grouped tells whether rows are put together.
func (b *block) grouped() bool { return len(b.aggregations)+len(b.breakouts) > 0 }

// each visits every clause of the stage, those inside of others too. It does
// not go into the sources.
func (b *block) each(visit func(expr)) {
	var deep func(expr)
	deep = func(e expr) {
		visit(e)
		for _, inner := range e.inside() {
			deep(inner)
		}
	}
	for _, j := range b.joins {
		deep(j.condition)
		for _, f := range j.fields {
			deep(f)
		}
	}
	for _, x := range b.expressions {
		deep(x.expr)
	}
	if b.filter != nil {
		deep(b.filter)
	}
	for _, a := range b.aggregations {
		deep(a.expr)
	}
	for _, e := range b.breakouts {
		deep(e)
	}
	for _, e := range b.fields {
		deep(e)
	}
	for _, o := range b.orders {
		deep(o.by)
	}
}

// source is where a stage or join gets its rows: a table, a saved question
// or a stage below.
type source struct {
	at    *node
	table catalog.TableID
	card  int64
	block *block
}

type join struct {
	at        *node
	alias     string
	strategy  string // "left-join", "inner-join", "right-join" or "full-join"
	source    source
	condition expr
	fields    []expr
	all       bool // all fields; with fields nil, none
}

type expression struct {
	at   *node
	name string
	expr expr
}

type aggregation struct {
	at          *node
	expr        expr
	name        string // given by the person; may be ""
	displayName string
}

type order struct {
	at         *node
	descending bool
	by         expr // *fieldRef, *expressionRef or *aggregationRef
}

type page struct {
	number, items int64 // 0 for none
}

// expr is what has a value or is a condition. The set is closed: *fieldRef,
// *expressionRef, *aggregationRef, *metricRef, *literal, *moment, *interval,
// *call.
//
//sumtype:decl
type expr interface {
	place() *node
	inside() []expr // the clauses that it is made of
	mbql() any      // in the plain form
}

// fieldRef names a field by its id, or a column of the stage below by name.
type fieldRef struct {
	at       *node
	id       catalog.FieldID
	name     string
	baseType string // as given
	join     string // alias; "" for the source
	shape
	via *hop // nil unless it is reached through a foreign key
}

// hop is the foreign key that a field of another table is reached through.
type hop struct {
	id   catalog.FieldID
	join string // alias of the join that has the key; "" for the source
}

// shape is what is made of a value before it is used: a date is cut to a unit,
// a number is put into a bin. The zero value leaves it.
type shape struct {
	unit unit
	bin  binning
}

type expressionRef struct {
	at   *node
	name string
	shape
}

type aggregationRef struct {
	at    *node
	index int
}

// metricRef is the aggregation of a saved question.
type metricRef struct {
	at   *node
	card int64
}

// literal is nil, bool, int64, float64 or string.
type literal struct {
	at    *node
	value any
}

// step is a number of units of time.
type step struct {
	amount int64
	unit   unit
}

// moment is a point in time counted from now: the beginning of a unit, and
// then some steps on.
type moment struct {
	at     *node
	amount int64
	unit   unit
	steps  []step
}

// interval is the condition that a date lies in a stretch of time around now.
type interval struct {
	at      *node
	subject expr
	amount  int64 // 0 for the current unit, below for those before it
	unit    unit
	current bool  // with the current unit
	shift   *step // moves the stretch; nil for not
}

// call is any other clause: an operator and what it is applied to.
type call struct {
	at         *node
	op         string
	args       []expr // of "case": condition, value, ..., and the default if odd
	unit       unit   // of the operators that end with one
	steps      []step // of datetime-add
	ignoreCase bool
}

func (e *fieldRef) place() *node       { return e.at }
func (e *expressionRef) place() *node  { return e.at }
func (e *aggregationRef) place() *node { return e.at }
func (e *metricRef) place() *node      { return e.at }
func (e *literal) place() *node        { return e.at }
func (e *moment) place() *node         { return e.at }
func (e *interval) place() *node       { return e.at }
func (e *call) place() *node           { return e.at }

func (e *fieldRef) inside() []expr       { return nil }
func (e *expressionRef) inside() []expr  { return nil }
func (e *aggregationRef) inside() []expr { return nil }
func (e *metricRef) inside() []expr      { return nil }
func (e *literal) inside() []expr        { return nil }
func (e *moment) inside() []expr         { return nil }
func (e *interval) inside() []expr       { return []expr{e.subject} }
func (e *call) inside() []expr           { return e.args }

// use says where an operator may stand.
type use uint8

const (
	asCondition use = 1 << iota
	asValue
	asAggregation
)

func (u use) String() string {
	switch u {
	case asCondition:
		return "a condition"
	case asAggregation:
		return "an aggregation"
	}
	return "a value"
}
