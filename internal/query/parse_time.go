package query

import "slices"

// This file reads the clauses that are about time.

// unit reads a unit of one of the kinds; "default" is none.
func (p *parser) unit(n *node, kinds ...unitKind) (unit, error) {
	s, err := n.word()
	if err != nil {
		return "", err
	}
	u := unit(s)
	if same := sameUnits[s]; same != "" {
		u = same
	}
	k, ok := unitKinds[u]
	switch {
	case s == "default" && len(kinds) > 1:
		return "", nil
	case !ok:
		return "", n.errorf("there is no unit %s", quoted(s))
	case !slices.Contains(kinds, k):
		return "", n.errorf("the unit %q cannot stand here", s)
	}
	return u, nil
}

// steps reads how many units from now: a number or a word.
func (p *parser) steps(n *node, words map[string]int64) (int64, error) {
	if n.kind == isString {
		if i, ok := words[n.text]; ok {
			return i, nil
		}
		return 0, n.errorf("must be a number or one of the words for it, not %s", quoted(n.text))
	}
	return n.whole(-maxStep, maxStep)
}

func (p *parser) moment(c clause) (expr, error) {
	if err := p.only(c); err != nil {
		return nil, err
	}
	if err := c.count(1, 2); err != nil {
		return nil, err
	}
	m := &moment{at: c.at, unit: "day"}
	var err error
	if m.amount, err = p.steps(c.args[0], map[string]int64{"current": 0}); err != nil {
		return nil, err
	}
	if len(c.args) == 2 {
		m.unit, err = p.unit(c.args[1], cut)
	}
	return m, err
}

// interval reads time-interval, and relative-time-interval, which is moved by
// a further number of units.
func (p *parser) interval(c clause) (expr, error) {
	i := &interval{at: c.at}
	moved := c.op == "relative-time-interval"
	p.takeOptions(&c, false)
	var err error
	if moved {
		if err := p.only(c); err != nil {
			return nil, err
		}
		if err := c.count(5, 5); err != nil {
			return nil, err
		}
		i.shift = &step{}
		if i.shift.amount, err = c.args[3].whole(-maxStep, maxStep); err != nil {
			return nil, err
		}
		if i.shift.unit, err = p.unit(c.args[4], cut); err != nil {
			return nil, err
		}
	} else {
		if err := p.only(c, "include-current"); err != nil {
			return nil, err
		}
		if err := c.count(3, 3); err != nil {
			return nil, err
		}
		if v := c.opts.get("include-current"); v != nil {
			if err := v.want(isBool); err != nil {
				return nil, err
			}
			i.current = v.yes
		}
	}
	if i.subject, err = p.expr(c.args[0], asValue); err != nil {
		return nil, err
	}
	if i.amount, err = p.steps(c.args[1], map[string]int64{"current": 0, "last": -1, "next": 1}); err != nil {
		return nil, err
	}
	i.unit, err = p.unit(c.args[2], cut)
	return i, err
}

// moved reads a sum in which everything after the first is ["interval", n,
// unit]: the first, so much later or earlier. False for another sum.
func (p *parser) moved(c clause) (expr, bool, error) {
	isInterval := func(n *node) bool {
		return n.kind == isArray && len(n.items) > 0 && n.items[0].kind == isString && n.items[0].text == "interval"
	}
	if !slices.ContainsFunc(c.args, isInterval) {
		return nil, false, nil
	}
	if err := p.only(c); err != nil {
		return nil, false, err
	}
	i := slices.IndexFunc(c.args, func(n *node) bool { return !isInterval(n) })
	if i < 0 || i > 0 && c.op == "-" || len(c.args) > maxOperands {
		return nil, false, c.at.errorf("intervals are added to a date or taken from one")
	}
	e, err := p.expr(c.args[i], asValue)
	if err != nil {
		return nil, false, err
	}
	var steps []step
	for k, arg := range c.args {
		if k == i {
			continue
		}
		s, err := p.intervalStep(arg)
		if err != nil {
			return nil, false, err
		}
		if c.op == "-" {
			s.amount = -s.amount
		}
		steps = append(steps, s)
	}
	if m, is := e.(*moment); is {
		if m.steps = append(m.steps, steps...); len(m.steps) >= maxOperands {
			return nil, false, c.at.errorf("more than %d intervals", maxOperands)
		}
		return m, true, nil
	}
	return &call{at: c.at, op: "datetime-add", args: []expr{e}, steps: steps}, true, nil
}

// later reads ["datetime-add", date, n, unit] and its opposite.
func (p *parser) later(c clause) (expr, error) {
	if err := p.only(c); err != nil {
		return nil, err
	}
	if err := c.count(3, 3); err != nil {
		return nil, err
	}
	var s step
	var err error
	if s.amount, err = c.args[1].whole(-maxStep, maxStep); err != nil {
		return nil, err
	}
	if s.unit, err = p.unit(c.args[2], cut); err != nil {
		return nil, err
	}
	if c.op == "datetime-subtract" {
		s.amount = -s.amount
	}
	e, err := p.expr(c.args[0], asValue)
	return &call{at: c.at, op: "datetime-add", args: []expr{e}, steps: []step{s}}, err
}

// intervalStep reads ["interval", n, unit].
func (p *parser) intervalStep(n *node) (step, error) {
	var s step
	c, err := p.clause(n)
	if err != nil {
		return s, err
	}
	if c.op != "interval" {
		return s, n.errorf("must be an interval: a sum that has one adds nothing else to a date")
	}
	if err := p.only(c); err != nil {
		return s, err
	}
	if err := c.count(2, 2); err != nil {
		return s, err
	}
	if s.amount, err = c.args[0].whole(-maxStep, maxStep); err != nil {
		return s, err
	}
	s.unit, err = p.unit(c.args[1], cut)
	return s, err
}

// extract reads the clauses that take a part of a date. The part is the last
// argument unless it is given; a way of counting weeks and days may follow.
func (p *parser) extract(c clause, u unit) (expr, error) {
	if err := p.only(c); err != nil {
		return nil, err
	}
	least, mode := 1, 1
	if u == "" {
		least, mode = 2, 2
	}
	if err := c.count(least, mode+1); err != nil {
		return nil, err
	}
	var err error
	if u == "" {
		if u, err = p.unit(c.args[1], part); err != nil {
			return nil, err
		}
	}
	if len(c.args) > mode && c.args[mode].kind != isNull {
		word, err := c.args[mode].word()
		if err != nil {
			return nil, err
		}
		other, ok := modes[u][word]
		if !ok {
			return nil, c.args[mode].errorf("%s is not a way of counting here", quoted(word))
		}
		u = other
	}
	e, err := p.expr(c.args[0], asValue)
	return &call{at: c.at, op: "temporal-extract", args: []expr{e}, unit: u}, err
}

// datetime reads ["datetime", text], a date with time written as text.
func (p *parser) datetime(c clause) (expr, error) {
	p.takeOptions(&c, false)
	if err := p.only(c, "mode"); err != nil {
		return nil, err
	}
	if err := c.count(1, 1); err != nil {
		return nil, err
	}
	if m := c.opts.get("mode"); m != nil {
		if word, err := m.word(); err != nil || word != "iso" {
			return nil, m.errorf("only dates written as in ISO 8601 can be read: the mode is \"iso\"")
		}
	}
	e, err := p.expr(c.args[0], asValue)
	return &call{at: c.at, op: "datetime", args: []expr{e}}, err
}
