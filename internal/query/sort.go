package query

// sorted writes ORDER BY. What is broken out is in order unless the question
// says otherwise, as in Metabase.
func (c *compiler) sorted(s *scope) (fragment, error) {
	b := s.block
	var all []fragment
	used := map[int]bool{}
	add := func(x fragment, descending bool) {
		if descending {
			x = cat(x, " DESC")
		}
		all = append(all, x)
	}
	for _, o := range b.orders {
		if !b.grouped() {
			if _, is := o.by.(*aggregationRef); is {
				return nil, o.by.place().errorf("there is no such aggregation")
			}
			v, err := c.value(s, o.by)
			if err != nil {
				return nil, err
			}
			add(v.sql, o.descending)
			continue
		}
		i, err := c.groupedColumn(s, o.by)
		if err != nil {
			return nil, err
		}
		used[i] = true
		add(text(itoa(int64(i+1))), o.descending)
	}
	for i := range b.breakouts {
		if !used[i] {
			add(text(itoa(int64(i+1))), false)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return cat(" ORDER BY ", separated(", ", all)), nil
}

// groupedColumn is the place among the columns of what a grouped stage is
// ordered by: an aggregation, or one of the fields that are broken out.
func (c *compiler) groupedColumn(s *scope, by expr) (int, error) {
	b := s.block
	if a, is := by.(*aggregationRef); is {
		if a.index >= len(b.aggregations) {
			return 0, a.at.errorf("there is no aggregation %d; the first is 0", a.index)
		}
		return len(b.breakouts) + a.index, nil
	}
	if x, is := by.(*expressionRef); is {
		found := -1
		for i, b := range b.breakouts {
			switch {
			case !sameColumn(b, x):
			case shapeOf(b) == x.shape:
				return i, nil
			case x.shape == shape{} && found < 0:
				found = i
			}
		}
		if found < 0 {
			return 0, x.at.errorf("the expression %s must be broken out to be ordered by", quoted(x.name))
		}
		return found, nil
	}
	f, is := by.(*fieldRef)
	if !is {
		return 0, by.place().errorf("this is nothing to order by")
	}
	in, want, err := c.lookup(s, f)
	if err != nil {
		return 0, err
	}
	found := -1
	for i, b := range b.breakouts {
		ref, is := b.(*fieldRef)
		if !is {
			continue
		}
		r, col, err := c.lookup(s, ref)
		switch {
		case err != nil:
			return 0, err
		case r != in || col.sql != want.sql:
		case ref.shape == f.shape:
			return i, nil
		case f.shape == shape{} && found < 0:
			found = i
		}
	}
	if found < 0 {
		return 0, f.at.errorf("%s must be broken out to be ordered by", f.label())
	}
	return found, nil
}
