package query

import (
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
	if err := p.only(c, "base-type", "effective-type"); err != nil {
		return nil, err
	}
	if err := c.count(1, 1); err != nil {
		return nil, err
	}
	name, err := c.args[0].word()
	return &expressionRef{at: n, name: name}, err
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
	}
	if later[c.op] {
		return nil, c.unknown()
	}
	return nil, c.at.items[0].errorf("%s is not a field", quoted(c.op))
}

// fieldName reads an id, or a name. Digits as text are an id unless a base
// type stands beside them, which names always have in Metabase.
func (p *parser) fieldName(n *node, f *fieldRef) error {
	if n.kind == isString && (f.baseType != "" || strings.Trim(n.text, "0123456789") != "") {
		f.name = n.text
		return nil
	}
	id, err := n.id()
	f.id = catalog.FieldID(id)
	return err
}

func (p *parser) fieldOptions(c clause, f *fieldRef) error {
	for i, key := range c.opts.keys {
		v := c.opts.items[i]
		var err error
		switch {
		case v.kind == isNull:
		case key == "base-type":
			f.baseType, err = p.typeName(v)
		case key == "join-alias":
			f.join, err = p.name(v)
		case key == "temporal-unit":
			f.unit, err = p.unit(v, cut, part)
		case key == "source-field":
			err = v.errorf("fields reached through a foreign key are not supported yet; join the table instead")
		case key == "binning":
			err = v.errorf("binning is not supported yet")
		case key == "effective-type", key == "semantic-type", key == "name", key == "display-name",
			key == "inherited-temporal-unit", key == "original-temporal-unit", ignored(key):
		default:
			err = v.errorf("there is no such option of a field")
		}
		if err != nil {
			return err
		}
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
