package query

import (
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// column reads a member of "fields".
func (p *parser) column(n *node) (expr, error) {
	c, err := p.clause(n)
	if err != nil {
		return nil, err
	}
	if c.op == "expression" {
		return p.expressionRef(n)
	}
	return p.fieldRef(n)
}

func (p *parser) expressionRef(n *node) (expr, error) {
	c, err := p.clause(n)
	if err != nil {
		return nil, err
	}
	if len(c.args) == 2 && c.args[1].kind == isNull {
		c.args = c.args[:1]
	}
	p.takeOptions(&c, false)
	if err := c.count(1, 1); err != nil {
		return nil, err
	}
	e := &expressionRef{at: n}
	for i, key := range c.opts.keys {
		v := c.opts.items[i]
		is, err := p.shaped(key, v, &e.shape)
		switch {
		case err != nil:
			return nil, err
		case is, v.kind == isNull, said(key):
		default:
			return nil, v.errorf("there is no such option of an expression")
		}
	}
	e.name, err = c.args[0].word()
	return e, err
}

// fieldRef reads ["field", id or name, options] and the older forms of it.
func (p *parser) fieldRef(n *node) (*fieldRef, error) {
	c, err := p.clause(n)
	if err != nil {
		return nil, err
	}
	f := &fieldRef{at: n}
	switch c.op {
	case "field":
		if len(c.args) == 2 && c.args[1].kind == isNull {
			c.args = c.args[:1]
		}
		p.takeOptions(&c, false)
		if err := c.count(1, 1); err != nil {
			return nil, err
		}
		if err := p.fieldOptions(c, f); err != nil {
			return nil, err
		}
		return f, p.fieldName(c.args[0], f)
	case "field-id":
		if err := c.count(1, 1); err != nil {
			return nil, err
		}
		return f, p.fieldName(c.args[0], f)
	case "field-literal":
		if err := c.count(2, 2); err != nil {
			return nil, err
		}
		if f.baseType, err = p.typeName(c.args[1]); err != nil {
			return nil, err
		}
		return f, p.fieldName(c.args[0], f)
	case "datetime-field":
		if err := c.count(2, 2); err != nil {
			return nil, err
		}
		if f, err = p.fieldRef(c.args[0]); err != nil {
			return nil, err
		}
		f.at = n
		f.unit, err = p.unit(c.args[1], cut, part)
		return f, err
	case "joined-field":
		if err := c.count(2, 2); err != nil {
			return nil, err
		}
		if f, err = p.fieldRef(c.args[1]); err != nil {
			return nil, err
		}
		f.at = n
		f.join, err = p.name(c.args[0])
		return f, err
	case "fk->":
		return p.hop(c)
	}
	if later[c.op] {
		return nil, c.unknown()
	}
	return nil, c.at.items[0].errorf("%s is not a field", quoted(c.op))
}

// hop reads ["fk->", key, field], where both are ids or fields.
func (p *parser) hop(c clause) (*fieldRef, error) {
	if err := c.count(2, 2); err != nil {
		return nil, err
	}
	var both [2]*fieldRef
	for i, n := range c.args {
		both[i] = &fieldRef{at: n}
		var err error
		if n.kind == isArray {
			both[i], err = p.fieldRef(n)
		} else {
			err = p.fieldName(n, both[i])
		}
		if err != nil {
			return nil, err
		}
	}
	key, f := both[0], both[1]
	if key.id == 0 || key.via != nil || f.via != nil || f.join != "" {
		return nil, c.at.errorf("must have the ids of a foreign key and of a field")
	}
	f.at, f.via = c.at, &hop{id: key.id, join: key.join}
	return f, nil
}

// fieldName reads an id, or a name. Digits as text are an id unless a base
// type stands beside them, which names always have in Metabase.
func (p *parser) fieldName(n *node, f *fieldRef) error {
	if n.kind == isString && (f.baseType != "" || strings.Trim(n.text, "0123456789") != "") {
		if f.via != nil {
			return n.errorf("must be an id: a field that is reached through a foreign key is one of a table")
		}
		f.name = n.text
		return nil
	}
	id, err := n.id()
	f.id = catalog.FieldID(id)
	return err
}

// said tells which options say nothing that is not known here already.
func said(key string) bool {
	switch key {
	case "base-type", "effective-type", "semantic-type", "name", "display-name", "inherited-temporal-unit", "original-temporal-unit", "source-field-name":
		return true
	}
	return ignored(key)
}

// shaped reads the options that say what is made of a value; false for others.
func (p *parser) shaped(key string, v *node, s *shape) (is bool, err error) {
	switch {
	case v.kind == isNull:
		return false, nil
	case key == "temporal-unit":
		s.unit, err = p.unit(v, cut, part)
		return true, err
	case key == "binning":
		s.bin, err = p.binning(v)
		return true, err
	}
	return false, nil
}

func (p *parser) fieldOptions(c clause, f *fieldRef) error {
	var hopJoin string
	for i, key := range c.opts.keys {
		v := c.opts.items[i]
		is, err := p.shaped(key, v, &f.shape)
		switch {
		case is, v.kind == isNull:
		case key == "base-type":
			f.baseType, err = p.typeName(v)
		case key == "join-alias":
			f.join, err = p.name(v)
		case key == "source-field":
			var id int64
			id, err = v.id()
			f.via = &hop{id: catalog.FieldID(id)}
		case key == "source-field-join-alias":
			hopJoin, err = p.name(v)
		case !said(key):
			err = v.errorf("there is no such option of a field")
		}
		if err != nil {
			return err
		}
	}
	switch {
	case f.unit != "" && f.bin != binning{}:
		return c.opts.errorf("a value is either cut to a unit of time or put into bins")
	case f.via == nil && hopJoin != "":
		return c.opts.errorf("has a \"source-field-join-alias\" and no \"source-field\"")
	case f.via != nil:
		f.via.join = hopJoin
		f.join = "" // clients repeat there what they call this very join
	}
	return nil
}

func (p *parser) typeName(n *node) (string, error) {
	s, err := n.word()
	if err == nil && (!strings.HasPrefix(s, "type/") || len(s) > maxNames) {
		err = n.errorf("%s is not a type", quoted(s))
	}
	return s, err
}

// Bounds and customs of binning.
const (
	maxBins      = 1000
	usualBins    = 8
	usualDegrees = 10
)

// binning says into which bins numbers are put: some of a width, or a number
// of them over the range that there is. The zero value says nothing; with
// usual alone, what the kind of the field says.
type binning struct {
	usual bool
	width float64
	count int64
}

// binning reads {"strategy": ..., "num-bins" or "bin-width": ...}.
func (p *parser) binning(n *node) (binning, error) {
	var b binning
	if err := n.want(isObject); err != nil {
		return b, err
	}
	strategy := ""
	for i, key := range n.keys {
		v := n.items[i]
		var err error
		switch {
		case v.kind == isNull:
		case key == "strategy":
			strategy, err = v.word()
		case key == "num-bins":
			b.count, err = v.whole(1, maxBins)
		case key == "bin-width":
			if err = v.want(isNumber); err == nil {
				if b.width, err = strconv.ParseFloat(v.text, 64); err != nil || b.width <= 0 {
					err = v.errorf("must be a number above 0")
				}
			}
		case key == "min-value", key == "max-value", ignored(key): // what a client remembers of an answer
		default:
			err = v.errorf("there is no such option of a binning")
		}
		if err != nil {
			return b, err
		}
	}
	switch {
	case strategy == "default":
		return binning{usual: true}, nil
	case strategy == "num-bins" && b.count > 0:
		return binning{count: b.count}, nil
	case strategy == "bin-width" && b.width > 0:
		return binning{width: b.width}, nil
	}
	return b, n.errorf("must have the \"strategy\" \"default\", \"num-bins\" or \"bin-width\", and of the latter the number")
}
