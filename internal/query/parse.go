package query

import (
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// savedQuestions is the number under which clients know the database that
// saved questions seem to be tables of.
const savedQuestions = "-1337"

// maxNames bounds the bytes of names that people give.
const maxNames = 255

// parser reads nodes as clauses. Both forms of Metabase's language share it:
// in the staged one every clause has its options at [1].
type parser struct {
	staged bool
	// aggregationIDs are the lib/uuid of the aggregations of the stage that
	// is read, by which the staged form orders.
	aggregationIDs map[string]int
}

// Parse reads the JSON of a question: {"database", "type", "query" or
// "native", "parameters"}, or the newer form with "stages". Unknown clauses,
// keys and units inside "query" and "native" are an *[Error] that names the
// path; unknown keys beside them are ignored, as clients send many.
func Parse(data []byte) (*Query, error) {
	root, err := readJSON(data)
	if err != nil {
		return nil, err
	}
	if root.kind != isObject {
		return nil, &Error{Message: "a question must be a JSON object with \"database\" and \"query\" or \"native\""}
	}
	p := &parser{staged: root.get("stages") != nil}
	q := &Query{}
	if q.database, err = p.database(root); err != nil {
		return nil, err
	}
	if p.staged {
		err = p.stagedQuery(root.get("stages"), q)
	} else {
		err = p.plainQuery(root, q)
	}
	if err != nil {
		return nil, err
	}
	if n := root.get("parameters"); n != nil {
		if q.parameters, err = p.parameters(n, q); err != nil {
			return nil, err
		}
	}
	if _, card := q.Begins(); q.database == 0 && card == 0 {
		return nil, &Error{Path: "database", Message: "must be an id; only a question on a saved question can do without"}
	}
	return q, nil
}

func (p *parser) database(root *node) (catalog.DatabaseID, error) {
	n := root.get("database")
	if n == nil || n.text == savedQuestions {
		return 0, nil
	}
	id, err := n.id()
	return catalog.DatabaseID(id), err
}

func (p *parser) plainQuery(root *node, q *Query) (err error) {
	form := "query"
	if n := root.get("type"); n != nil {
		if form, err = n.word(); err != nil {
			return err
		}
		if form != "query" && form != "native" {
			return n.errorf("%s is not a type of question; it is \"query\" or \"native\"", quoted(form))
		}
	} else if root.get("native") != nil && root.get("query") == nil {
		form = "native"
	}
	n := root.get(form)
	if n == nil {
		return &Error{Path: form, Message: "is missing"}
	}
	if form == "native" {
		q.native, err = p.native(n, "query")
	} else {
		q.block, err = p.block(n)
	}
	return err
}

// stagedQuery reads a list of stages, each on top of the one before.
func (p *parser) stagedQuery(n *node, q *Query) (err error) {
	if err := n.want(isArray); err != nil {
		return err
	}
	for i, stage := range n.items {
		sql := stage.get("native")
		switch {
		case sql == nil:
		case len(n.items) == 1:
			q.native, err = p.native(stage, "native")
			return err
		default:
			return n.items[i].errorf("SQL cannot have other stages beside it here: save it as a question and build on that")
		}
	}
	q.block, err = p.stages(n)
	return err
}

func (p *parser) stages(n *node) (*block, error) {
	if err := n.want(isArray); err != nil {
		return nil, err
	}
	if len(n.items) == 0 {
		return nil, n.errorf("must have a stage")
	}
	var below *block
	for _, item := range n.items {
		b, err := p.stage(item, below)
		if err != nil {
			return nil, err
		}
		below = b
	}
	return below, nil
}

// block reads "query" or "source-query".
func (p *parser) block(n *node) (*block, error) { return p.stage(n, nil) }

// ignored tells which keys say nothing about the answer: what clients and
// servers keep for themselves.
func ignored(key string) bool {
	if strings.HasPrefix(key, "lib/") {
		return true
	}
	switch key {
	case "ident", "aggregation-idents", "breakout-idents", "expression-idents", "source-metadata":
		return true
	}
	return false
}

func (p *parser) stage(n *node, below *block) (*block, error) {
	if err := n.want(isObject); err != nil {
		return nil, err
	}
	b := &block{at: n}
	defer func(ids map[string]int) { p.aggregationIDs = ids }(p.aggregationIDs)
	p.aggregationIDs = map[string]int{}
	var err error
	if below != nil {
		b.source = source{at: n, block: below}
	}
	if err := p.source(n, &b.source); err != nil {
		return nil, err
	}
	for i, key := range n.keys {
		if n.items[i].kind == isNull {
			continue
		}
		if !p.known(key) {
			return nil, n.items[i].errorf("there is no such key of a question")
		}
	}
	// Aggregations come first: the order of the staged form names them.
	for _, key := range []string{"aggregation", "joins", "expressions", "filter", "filters", "breakout", "fields", "order-by", "limit", "page"} {
		v := n.get(key)
		if v == nil || !p.known(key) {
			continue
		}
		switch key {
		case "joins":
			b.joins, err = list(v, p.join)
		case "expressions":
			b.expressions, err = p.expressions(v)
		case "filter":
			b.filter, err = p.expr(v, asCondition)
		case "filters":
			b.filter, err = p.allOf(v)
		case "aggregation":
			b.aggregations, err = p.aggregations(v)
		case "breakout":
			b.breakouts, err = list(v, p.column)
		case "fields":
			b.fields, err = list(v, p.column)
		case "order-by":
			b.orders, err = list(v, p.order)
		case "limit":
			b.limit, err = v.whole(1, 1<<31)
		case "page":
			b.page, err = p.page(v)
		}
		if err != nil {
			return nil, err
		}
	}
	if b.limit > 0 && b.page.number > 0 {
		return nil, n.get("page").errorf("cannot stand beside \"limit\"")
	}
	return b, checkNames(b)
}

// known tells whether the key may stand in a stage.
func (p *parser) known(key string) bool {
	switch key {
	case "source-table", "joins", "expressions", "aggregation", "breakout", "fields", "order-by", "limit", "page":
		return true
	case "source-query", "filter":
		return !p.staged
	case "source-card", "filters":
		return p.staged
	}
	return ignored(key)
}

// checkNames holds names that are given in a stage apart.
func checkNames(b *block) error {
	seen := map[string]bool{}
	for _, j := range b.joins {
		if seen[j.alias] {
			return j.at.errorf("there are two joins with the alias %s", quoted(j.alias))
		}
		seen[j.alias] = true
	}
	return nil
}

// list reads every item of a list.
func list[T any](n *node, read func(*node) (T, error)) ([]T, error) {
	if err := n.want(isArray); err != nil {
		return nil, err
	}
	var all []T
	for _, item := range n.items {
		v, err := read(item)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// name reads a name that a person gives.
func (p *parser) name(n *node) (string, error) {
	s, err := n.word()
	if err == nil && (s == "" || len(s) > maxNames) {
		err = n.errorf("must have from 1 to %d bytes", maxNames)
	}
	return s, err
}

// allOf reads a list of conditions that must all hold.
func (p *parser) allOf(n *node) (expr, error) {
	all, err := list(n, func(n *node) (expr, error) { return p.expr(n, asCondition) })
	switch {
	case err != nil || len(all) == 0:
		return nil, err
	case len(all) == 1:
		return all[0], nil
	}
	return &call{at: n, op: "and", args: all}, nil
}

func (p *parser) expressions(n *node) ([]expression, error) {
	var all []expression
	if p.staged {
		if err := n.want(isArray); err != nil {
			return nil, err
		}
	} else if err := n.want(isObject); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, item := range n.items {
		x := expression{at: item}
		var err error
		if p.staged {
			x.name, err = p.expressionName(item)
		} else {
			x.name = n.keys[i]
		}
		if err != nil {
			return nil, err
		}
		if x.name == "" || len(x.name) > maxNames || seen[x.name] {
			return nil, item.errorf("an expression needs a name of its own of at most %d bytes", maxNames)
		}
		seen[x.name] = true
		if x.expr, err = p.expr(item, asValue); err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	return all, nil
}

func (p *parser) expressionName(n *node) (string, error) {
	c, err := p.clause(n)
	if err != nil {
		return "", err
	}
	if name := c.opts.get("lib/expression-name"); name != nil {
		return name.word()
	}
	return "", n.errorf("has no \"lib/expression-name\"")
}

func (p *parser) page(n *node) (page, error) {
	var g page
	if err := n.want(isObject); err != nil {
		return g, err
	}
	for i, key := range n.keys {
		var err error
		switch key {
		case "page":
			g.number, err = n.items[i].whole(1, 1<<31)
		case "items":
			g.items, err = n.items[i].whole(1, 1<<31)
		default:
			err = n.items[i].errorf("there is no such key of a page")
		}
		if err != nil {
			return g, err
		}
	}
	if g.number == 0 || g.items == 0 {
		return g, n.errorf("must have \"page\" and \"items\"")
	}
	return g, nil
}
