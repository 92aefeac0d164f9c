package query

// aggregations reads a list of aggregations, or one alone as old clients send.
func (p *parser) aggregations(n *node) ([]aggregation, error) {
	if n.kind == isArray && len(n.items) > 0 && n.items[0].kind == isString {
		a, err := p.aggregation(n)
		return []aggregation{a}, err
	}
	if err := n.want(isArray); err != nil {
		return nil, err
	}
	var all []aggregation
	for i, item := range n.items {
		a, err := p.aggregation(item)
		if err != nil {
			return nil, err
		}
		if p.staged && len(item.items) > 1 {
			if id := item.items[1].get("lib/uuid"); id != nil && id.kind == isString {
				p.aggregationIDs[id.text] = i
			}
		}
		all = append(all, a)
	}
	return all, nil
}

func (p *parser) aggregation(n *node) (aggregation, error) {
	a := aggregation{at: n}
	c, err := p.clause(n)
	if err != nil {
		return a, err
	}
	inner := n
	if c.op == "aggregation-options" && !p.staged {
		if err := c.count(2, 2); err != nil {
			return a, err
		}
		inner = c.args[0]
		if err := c.args[1].want(isObject); err != nil {
			return a, err
		}
		p.takeOptions(&c, false)
		if err := p.only(c, "name", "display-name"); err != nil {
			return a, err
		}
	}
	if v := c.opts.get("name"); v != nil {
		if a.name, err = p.name(v); err != nil {
			return a, err
		}
	}
	if v := c.opts.get("display-name"); v != nil {
		if a.displayName, err = p.name(v); err != nil {
			return a, err
		}
	}
	if err := inner.want(isArray); err != nil {
		return a, err
	}
	a.expr, err = p.expr(inner, asAggregation)
	return a, err
}

// order reads ["asc" or "desc", field or ["aggregation", i]].
func (p *parser) order(n *node) (order, error) {
	o := order{at: n}
	c, err := p.clause(n)
	if err != nil {
		return o, err
	}
	if c.op != "asc" && c.op != "desc" {
		return o, n.items[0].errorf("must be \"asc\" or \"desc\", not %s", quoted(c.op))
	}
	if err := p.only(c); err != nil {
		return o, err
	}
	if err := c.count(1, 1); err != nil {
		return o, err
	}
	o.descending = c.op == "desc"
	by, err := p.clause(c.args[0])
	if err != nil {
		return o, err
	}
	if by.op == "aggregation" {
		o.by, err = p.aggregationRef(by)
	} else {
		o.by, err = p.column(c.args[0])
	}
	return o, err
}

func (p *parser) aggregationRef(c clause) (expr, error) {
	if len(c.args) == 2 && c.args[1].kind == isNull {
		c.args = c.args[:1]
	}
	p.takeOptions(&c, false)
	if err := p.only(c, everyClause...); err != nil {
		return nil, err
	}
	if err := c.count(1, 1); err != nil {
		return nil, err
	}
	a := &aggregationRef{at: c.at}
	if p.staged && c.args[0].kind == isString {
		i, ok := p.aggregationIDs[c.args[0].text]
		if !ok {
			return nil, c.args[0].errorf("there is no such aggregation")
		}
		a.index = i
		return a, nil
	}
	i, err := c.args[0].whole(0, maxNodes)
	a.index = int(i)
	return a, err
}
