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
	strategy  string // "left-join" or "inner-join"
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
// *expressionRef, *aggregationRef, *literal, *moment, *interval, *call.
//
//sumtype:decl
type expr interface {
	place() *node
	mbql() any // in the plain form
}

// fieldRef names a field by its id, or a column of the stage below by name.
type fieldRef struct {
	at       *node
	id       catalog.FieldID
	name     string
	baseType string // as given
	join     string // alias; "" for the source
	unit     unit
}

type expressionRef struct {
	at   *node
	name string
}

type aggregationRef struct {
	at    *node
	index int
}

// literal is nil, bool, int64, float64 or string.
type literal struct {
	at    *node
	value any
}

// moment is a point in time counted from now.
type moment struct {
	at     *node
	amount int64
	unit   unit
}

// interval is the condition that a date lies in a stretch of time around now.
type interval struct {
	at      *node
	subject expr
	amount  int64 // 0 for the current unit, below for those before it
	unit    unit
	current bool // with the current unit
}

// call is any other clause: an operator and what it is applied to.
type call struct {
	at         *node
	op         string
	args       []expr // of "case": condition, value, ..., and the default if odd
	ignoreCase bool
}

func (e *fieldRef) place() *node       { return e.at }
func (e *expressionRef) place() *node  { return e.at }
func (e *aggregationRef) place() *node { return e.at }
func (e *literal) place() *node        { return e.at }
func (e *moment) place() *node         { return e.at }
func (e *interval) place() *node       { return e.at }
func (e *call) place() *node           { return e.at }

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

// operator is what Parse knows about a clause. Each argument has the use of
// args, the last entry standing for all further ones.
type operator struct {
	use      use
	min, max int
	args     []use
	options  bool // may end with {"case-sensitive": ...}
}

// Lists of values may be long, lists of operands are written out as SQL.
const (
	maxValues   = 10_000
	maxOperands = 100
)

var (
	conditions = []use{asCondition}
	values     = []use{asValue}
)

var operators = map[string]operator{
	"and":     {use: asCondition, min: 1, max: maxValues, args: conditions},
	"or":      {use: asCondition, min: 1, max: maxValues, args: conditions},
	"not":     {use: asCondition, min: 1, max: 1, args: conditions},
	"=":       {use: asCondition, min: 2, max: maxValues, args: values},
	"!=":      {use: asCondition, min: 2, max: maxValues, args: values},
	"<":       {use: asCondition, min: 2, max: 2, args: values},
	"<=":      {use: asCondition, min: 2, max: 2, args: values},
	">":       {use: asCondition, min: 2, max: 2, args: values},
	">=":      {use: asCondition, min: 2, max: 2, args: values},
	"between": {use: asCondition, min: 3, max: 3, args: values},

	"is-null":   {use: asCondition, min: 1, max: 1, args: values},
	"not-null":  {use: asCondition, min: 1, max: 1, args: values},
	"is-empty":  {use: asCondition, min: 1, max: 1, args: values},
	"not-empty": {use: asCondition, min: 1, max: 1, args: values},

	"contains":         {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"does-not-contain": {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"starts-with":      {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"ends-with":        {use: asCondition, min: 2, max: maxOperands, args: values, options: true},

	"+":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"-":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"*":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"/":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"coalesce": {use: asValue, min: 1, max: maxOperands, args: values},
	"concat":   {use: asValue, min: 2, max: maxOperands, args: values},
	"lower":    {use: asValue, min: 1, max: 1, args: values},
	"upper":    {use: asValue, min: 1, max: 1, args: values},
	"trim":     {use: asValue, min: 1, max: 1, args: values},
	"ltrim":    {use: asValue, min: 1, max: 1, args: values},
	"rtrim":    {use: asValue, min: 1, max: 1, args: values},
	"length":   {use: asValue, min: 1, max: 1, args: values},
	"round":    {use: asValue, min: 1, max: 1, args: values},

	"count":       {use: asAggregation, min: 0, max: 1, args: values},
	"sum":         {use: asAggregation, min: 1, max: 1, args: values},
	"avg":         {use: asAggregation, min: 1, max: 1, args: values},
	"min":         {use: asAggregation, min: 1, max: 1, args: values},
	"max":         {use: asAggregation, min: 1, max: 1, args: values},
	"distinct":    {use: asAggregation, min: 1, max: 1, args: values},
	"count-where": {use: asAggregation, min: 1, max: 1, args: conditions},
	"sum-where":   {use: asAggregation, min: 2, max: 2, args: []use{asValue, asCondition}},
}

// later are clauses that exist and that nobody has built here yet.
var later = map[string]bool{
	"segment": true, "metric": true, "inside": true, "fk->": true, "binning-strategy": true,
	"cum-sum": true, "cum-count": true, "stddev": true, "var": true, "median": true, "percentile": true, "share": true, "offset": true,
	"abs": true, "ceil": true, "floor": true, "power": true, "sqrt": true, "exp": true, "log": true,
	"substring": true, "replace": true, "regex-match-first": true, "host": true, "domain": true, "subdomain": true,
	"interval": true, "datetime-add": true, "datetime-subtract": true, "datetime-diff": true, "now": true, "temporal-extract": true,
	"convert-timezone": true, "absolute-datetime": true, "time": true, "relative-time-interval": true,
	"get-year": true, "get-quarter": true, "get-month": true, "get-week": true, "get-day": true, "get-day-of-week": true,
	"get-hour": true, "get-minute": true, "get-second": true, "integer": true, "float": true, "text": true, "date": true, "datetime": true,
	"if": true, "in": true, "not-in": true, "split-part": true, "day-name": true, "month-name": true, "quarter-name": true, "path": true,
	"measure": true, "distinct-where": true, "value": true, "template-tag": true,
}
