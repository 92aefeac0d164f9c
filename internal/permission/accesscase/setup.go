package accesscase

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

func (p *parser) catalog(line int, text string) error {
	head, columns, _ := strings.Cut(text, ":")
	name, options := cutOptions(head)
	if db, ok := strings.CutPrefix(name, "database "); ok {
		d := Database{Line: line, Name: strings.TrimSpace(db)}
		for _, o := range options {
			switch o {
			case "strict":
				d.Strict = true
			case "the sample warehouse":
				d.Sample, d.Tables = true, sampleTables(line)
			default:
				return fmt.Errorf("a database is strict or the sample warehouse, not %q", o)
			}
		}
		if !isName(d.Name) {
			return fmt.Errorf("%q is not a name for a database", d.Name)
		}
		if slices.ContainsFunc(p.c.Databases, func(o Database) bool { return o.Name == d.Name }) {
			return fmt.Errorf("there is a database %q already", d.Name)
		}
		p.c.Databases = append(p.c.Databases, d)
		return nil
	}
	table, ok := strings.CutPrefix(name, "table ")
	if !ok || len(p.c.Databases) == 0 {
		return fmt.Errorf("the catalog holds lines \"database shop\" and, below one, \"table orders\"")
	}
	t := Table{Line: line, Name: strings.TrimSpace(table)}
	if schema, name, ok := strings.Cut(t.Name, "."); ok {
		t.Schema, t.Name = schema, name
	}
	if !isName(t.Name) || t.Schema != "" && !isName(t.Schema) {
		return fmt.Errorf("%q is not a name for a table", table)
	}
	for _, o := range options {
		switch o {
		case "governed":
			t.Governed = true
		case "shared":
			t.Shared = true
		case "new":
			t.New = true
		case "absent":
			t.Absent = true
		default:
			return fmt.Errorf("a table is governed, shared, new or absent, not %q", o)
		}
	}
	for _, c := range list(columns) {
		field, kind, _ := strings.Cut(c, " ")
		if !isName(field) {
			return fmt.Errorf("%q is not a column and its type", c)
		}
		t.Fields = append(t.Fields, Field{field, strings.TrimSpace(kind)})
	}
	d := &p.c.Databases[len(p.c.Databases)-1]
	if slices.ContainsFunc(d.Tables, func(o Table) bool { return o.Schema == t.Schema && o.Name == t.Name }) {
		return fmt.Errorf("the database has a table %q already", t.Name)
	}
	d.Tables = append(d.Tables, t)
	return nil
}

// cutOptions cuts "Analysts, internal" after the name.
func cutOptions(s string) (name string, options []string) {
	name, rest, _ := strings.Cut(s, ",")
	return strings.TrimSpace(name), list(rest)
}

// list cuts a line at commas; an empty line has no items.
func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (p *parser) group(line int, text string) error {
	name, options := cutOptions(text)
	g := Group{Line: line, Name: name}
	for _, o := range options {
		if o != "internal" {
			return fmt.Errorf("a group is internal or it is not; %q is neither", o)
		}
		g.Internal = true
	}
	return p.addGroup(g)
}

// addGroup adds a group that is not there yet.
func (p *parser) addGroup(g Group) error {
	if g.Name == "" || strings.ContainsAny(g.Name, `:"`) {
		return fmt.Errorf("a group has a name without colon and quotation mark, not %q", g.Name)
	}
	i := slices.IndexFunc(p.c.Groups, func(o Group) bool { return strings.EqualFold(o.Name, g.Name) })
	switch {
	case i >= 0 && p.c.Groups[i].Name != g.Name:
		return fmt.Errorf("group %q is called %q already", g.Name, p.c.Groups[i].Name)
	case i >= 0:
		p.c.Groups[i].Internal = p.c.Groups[i].Internal || g.Internal
	default:
		p.c.Groups = append(p.c.Groups, g)
	}
	return nil
}

// The groups that every server has.
const (
	AllUsers       = "All Users"
	Administrators = "Administrators"
)

func (p *parser) person(line int, text string) error {
	name, rest, _ := strings.Cut(text, " ")
	if !isName(name) {
		return fmt.Errorf("%q is not a name for a person", name)
	}
	i := slices.IndexFunc(p.c.People, func(o Person) bool { return o.Name == name })
	if i < 0 {
		i = len(p.c.People)
		p.c.People = append(p.c.People, Person{Line: line, Name: name, Attributes: map[string]string{}})
	}
	who := &p.c.People[i]
	if groups, ok := strings.CutPrefix(rest, "is in "); ok {
		for _, g := range list(groups) {
			if g == AllUsers || g == Administrators {
				if g == Administrators && !slices.Contains(who.Groups, g) {
					who.Groups = append(who.Groups, g)
				}
				continue // everybody is in All Users
			}
			if err := p.addGroup(Group{Line: line, Name: g}); err != nil {
				return err
			}
			if !slices.Contains(who.Groups, g) {
				who.Groups = append(who.Groups, g)
			}
		}
		return nil
	}
	switch rest {
	case "is an administrator":
		who.Groups = append(who.Groups, Administrators)
		return nil
	case "is deactivated":
		who.Deactivated = true
		return nil
	}
	words, err := split(rest)
	if err != nil {
		return err
	}
	if w, ok := match("has {name} = {value}", words); ok {
		who.Attributes[w["name"].text] = w["value"].text
		return nil
	}
	return fmt.Errorf("%q is said of no person; they are in groups, are an administrator, are deactivated or have organization_id = 99", rest)
}

func (p *parser) question(line int, text string) error {
	words, err := split(text)
	if err != nil {
		return err
	}
	n := len(words)
	if n < 6 || !words[0].quoted || !words[n-1].quoted || words[n-2].text != "in" || words[n-3].text != "," {
		return errQuestion
	}
	q := Question{Line: line, Name: words[0].text, Kind: "question", Collection: words[n-1].text}
	middle := words[1 : n-3]
	for _, kind := range []string{"model", "metric"} {
		if rest, ok := strings.CutPrefix(join(middle), "is a "+kind+" that "); ok {
			q.Kind = kind
			if middle, err = split(rest); err != nil {
				return err
			}
		}
	}
	if m := len(middle); m > 2 && middle[m-2].text == "by" && middle[m-1].text == "sql" {
		q.Native, q.SQL, middle = true, true, middle[:m-2]
	}
	switch {
	case len(middle) > 1 && middle[0].text == "reads":
		err = q.reads(middle[1:])
	case len(middle) == 3 && middle[0].text == "builds" && middle[1].text == "on" && middle[2].quoted:
		err = p.buildsOn(&q, middle[2].text)
	default:
		err = errQuestion
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(p.c.Questions, func(o Question) bool { return o.Name == q.Name }) {
		return fmt.Errorf("there is a question %q already", q.Name)
	}
	p.c.Questions = append(p.c.Questions, q)
	return nil
}

var errQuestion = errors.New(`a question is written "Revenue" reads shop.orders, in "Finance"`)

// buildsOn makes q one on top of a question that stands above it.
func (p *parser) buildsOn(q *Question, name string) error {
	below, err := p.c.Question(name)
	if err != nil {
		return err
	}
	q.On, q.Tables, q.SQL = name, below.Tables, q.SQL || below.SQL
	return nil
}

// reads reads the tables of a question.
func (q *Question) reads(words []word) error {
	for i, w := range words {
		if i%2 == 1 {
			if w.text != "," {
				return fmt.Errorf("tables are separated by commas, not by %q", w.text)
			}
			continue
		}
		ref, err := parseRef(w.text)
		if err != nil {
			return err
		}
		q.Tables = append(q.Tables, ref)
	}
	return nil
}

func (p *parser) dashboard(line int, text string) error {
	words, err := split(text)
	if err != nil {
		return err
	}
	n := len(words)
	if n < 6 || !words[0].quoted || words[1].text != "shows" || !words[n-1].quoted || words[n-2].text != "in" || words[n-3].text != "," {
		return fmt.Errorf(`a dashboard is written "Board" shows "Revenue", "Costs", in "Finance"`)
	}
	d := Dashboard{Line: line, Name: words[0].text, Collection: words[n-1].text}
	for i, w := range words[2 : n-3] {
		if i%2 == 1 && w.text == "," {
			continue
		}
		if i%2 == 1 || !w.quoted {
			return fmt.Errorf("%q is not a question in quotation marks", w.text)
		}
		d.Questions = append(d.Questions, w.text)
	}
	if slices.ContainsFunc(p.c.Dashboards, func(o Dashboard) bool { return o.Name == d.Name }) {
		return fmt.Errorf("there is a dashboard %q already", d.Name)
	}
	p.c.Dashboards = append(p.c.Dashboards, d)
	return nil
}

func (p *parser) rows(table, data string) {
	ref, err := parseRef(strings.TrimSpace(table))
	if err != nil {
		p.bad(p.section, "%v", err)
		return
	}
	r := Rows{Line: p.section, Table: ref}
	p.each(data, func(_ int, text string) error {
		var cells []string
		for c := range strings.SplitSeq(text, "|") {
			cells = append(cells, strings.TrimSpace(c))
		}
		if r.Fields == nil {
			r.Fields = cells
			return nil
		}
		if len(cells) != len(r.Fields) {
			return fmt.Errorf("there are %d columns and %d values", len(r.Fields), len(cells))
		}
		r.Records = append(r.Records, cells)
		return nil
	})
	p.c.Rows = append(p.c.Rows, r)
}
