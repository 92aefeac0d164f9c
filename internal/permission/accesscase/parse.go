package accesscase

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// Parse reads a case file; name is the file's, for its mistakes. The error
// joins a *Mistake for everything that is wrong. A case that expects nothing
// is wrong.
func Parse(name string, data []byte) (*Case, error) {
	p := &parser{file: name, c: &Case{Name: strings.TrimSuffix(path.Base(name), ".txtar")}}
	a := txtar.Parse(data)
	p.c.Promise = strings.TrimSpace(string(a.Comment))
	p.line = 1 + lines(a.Comment)
	p.c.Steps = []Step{{Line: p.line}}
	for _, f := range a.Files {
		p.section = p.line
		p.read(f.Name, string(f.Data))
		p.line = p.section + 1 + lines(f.Data)
	}
	p.finish()
	return p.c, errors.Join(p.wrong...)
}

func lines(data []byte) int { return strings.Count(string(data), "\n") }

type parser struct {
	file    string
	c       *Case
	section int // the line of the section's marker
	line    int
	wrong   []error
}

func (p *parser) bad(line int, format string, args ...any) {
	p.wrong = append(p.wrong, &Mistake{p.file, line, fmt.Sprintf(format, args...)})
}

// step is the last step, where expectations are put.
func (p *parser) step() *Step { return &p.c.Steps[len(p.c.Steps)-1] }

// next is the step to write in: a new one once something is expected.
func (p *parser) next() *Step {
	s := p.step()
	if len(p.c.Steps) == 1 || len(s.Expect)+len(s.Sees)+len(s.Who)+len(s.Why) > 0 || s.Put != nil && s.Put.Status != 0 {
		p.c.Steps = append(p.c.Steps, Step{Line: p.section})
	}
	return p.step()
}

// read reads one section.
func (p *parser) read(name, data string) {
	kind, rest, _ := strings.Cut(name, " ")
	switch {
	case name == "catalog":
		p.each(data, p.catalog)
	case name == "groups":
		p.each(data, p.group)
	case name == "people":
		p.each(data, p.person)
	case name == "collections":
		p.each(data, func(_ int, text string) error {
			p.c.Collections = append(p.c.Collections, text)
			return nil
		})
	case name == "questions":
		p.each(data, p.question)
	case name == "dashboards":
		p.each(data, p.dashboard)
	case kind == "rows":
		p.rows(rest, data)
	case name == "grants":
		p.each(data, func(line int, text string) error {
			s, err := statement(line, text)
			if err == nil && !s.beginning() {
				err = fmt.Errorf("%q is a deed, not a grant; it belongs in a section called write", text)
			}
			p.c.Grants = append(p.c.Grants, s)
			return err
		})
	case name == "write":
		step := p.next()
		p.each(data, func(line int, text string) error {
			s, err := statement(line, text)
			step.Write = append(step.Write, s)
			return err
		})
	case kind == "put":
		p.put(rest, data)
	case name == "answer":
		p.each(data, p.answer)
	case name == "can" || name == "cannot":
		p.each(data, func(line int, text string) error { return p.expect(line, text, name == "can") })
	case name == "sees":
		p.each(data, p.sees)
	case name == "who":
		p.each(data, p.who)
	case name == "why":
		p.each(data, p.why)
	default:
		p.bad(p.section, "there is no section called %q", name)
	}
}

// each calls f for every line that is neither empty nor a comment.
func (p *parser) each(data string, f func(line int, text string) error) {
	line := p.section
	for text := range strings.Lines(data) {
		line++
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if err := f(line, text); err != nil {
			p.bad(line, "%v", err)
		}
	}
}

func (p *parser) catalog(line int, text string) error {
	head, columns, _ := strings.Cut(text, ":")
	options := list(head)
	name := options[0]
	if db, ok := strings.CutPrefix(name, "database "); ok {
		d := Database{Line: line, Name: strings.TrimSpace(db)}
		for _, o := range options[1:] {
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
	for _, o := range options[1:] {
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

// list cuts a line at commas; an empty line has no items.
func list(s string) []string {
	var items []string
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	if items == nil && strings.TrimSpace(s) != "" {
		return []string{s}
	}
	return items
}

func (p *parser) group(line int, text string) error {
	options := list(text)
	g := Group{Line: line, Name: options[0]}
	for _, o := range options[1:] {
		if o != "internal" {
			return fmt.Errorf("a group is internal or it is not; %q is neither", o)
		}
		g.Internal = true
	}
	return p.addGroup(g)
}

// addGroup adds a group that is not there yet.
func (p *parser) addGroup(g Group) error {
	if strings.ContainsAny(g.Name, `:"`) {
		return fmt.Errorf("the name of a group holds no colon and no quotation mark: %q", g.Name)
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
	if n < 6 || !words[0].quoted || words[1].text != "reads" || !words[n-1].quoted || words[n-2].text != "in" || words[n-3].text != "," {
		return fmt.Errorf(`a question is written "Revenue" reads shop.orders, in "Finance"`)
	}
	q := Question{Line: line, Name: words[0].text, Collection: words[n-1].text}
	middle := words[2 : n-3]
	if m := len(middle); m > 2 && middle[m-2].text == "by" && middle[m-1].text == "sql" {
		q.Native, middle = true, middle[:m-2]
	}
	for i, w := range middle {
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
	p.c.Questions = append(p.c.Questions, q)
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

func (p *parser) put(what, data string) {
	graph, query, _ := strings.Cut(what, "?")
	if graph != "data" && graph != "collections" {
		p.bad(p.section, "a PUT is of the graph data or collections, not %q", graph)
		return
	}
	step := p.next()
	if step.Put != nil {
		p.c.Steps = append(p.c.Steps, Step{Line: p.section})
		step = p.step()
	}
	step.Put = &Put{Line: p.section, Graph: graph, Query: query, Body: data}
}

func (p *parser) answer(_ int, text string) error {
	put := p.step().Put
	if put == nil {
		return fmt.Errorf("an answer comes after a PUT")
	}
	words, err := split(text)
	if err != nil {
		return err
	}
	if w, ok := match("status {n}", words); ok {
		if put.Status, err = strconv.Atoi(w["n"].text); err != nil || put.Status < 200 || put.Status > 599 {
			return fmt.Errorf("%q is not a status of an answer", w["n"].text)
		}
		return nil
	}
	if w, ok := match("mentions {text}", words); ok && w["text"].quoted {
		put.Mention = append(put.Mention, w["text"].text)
		return nil
	}
	return fmt.Errorf(`an answer has "status 409" or "mentions "out of date""`)
}

func (p *parser) expect(line int, text string, can bool) error {
	person, a, err := doing(text)
	step := p.step()
	step.Expect = append(step.Expect, Expectation{Line: line, Text: text, Can: can, Person: person, Action: a})
	return err
}

// doing reads "bob asks shop.orders".
func doing(text string) (person string, a Action, err error) {
	words, err := split(text)
	if err != nil {
		return "", Action{}, err
	}
	if len(words) < 2 || words[0].quoted || !isName(words[0].text) {
		return "", Action{}, fmt.Errorf("a person and what the person does is written \"bob asks shop.orders\"")
	}
	a, err = action(words[1:])
	return words[0].text, a, err
}

func (p *parser) sees(line int, text string) error {
	head, names, _ := strings.Cut(text, ":")
	words, err := split(head)
	if err != nil {
		return err
	}
	l := Listing{Line: line, Text: text, Names: list(names)}
	if l.Names == nil {
		return fmt.Errorf("a list names what is in it, or \"nothing\"")
	}
	if slices.Equal(l.Names, []string{"nothing"}) {
		l.Names = nil
	}
	for i, n := range l.Names {
		l.Names[i] = strings.Trim(n, `"`)
	}
	if w, ok := match("{person} sees rows of {table}", words); ok {
		l.Kind, l.Person = "rows", w["person"].text
		l.Table, err = parseRef(w["table"].text)
	} else if w, ok := match("{person} sees {kind}", words); ok {
		l.Kind, l.Person = w["kind"].text, w["person"].text
	}
	if !slices.Contains([]string{"databases", "tables", "collections", "rows"}, l.Kind) {
		return fmt.Errorf("people see databases, tables, collections or rows of a table: \"bob sees tables: shop.orders\"")
	}
	p.step().Sees = append(p.step().Sees, l)
	return err
}

func (p *parser) who(line int, text string) error {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return fmt.Errorf("who may do something is written \"asks shop.orders: ann, bob\"")
	}
	words, err := split(text[:i])
	if err != nil {
		return err
	}
	l := Listing{Line: line, Text: text, Names: list(text[i+1:])}
	if l.Names == nil {
		return fmt.Errorf("a list names who is in it, or \"nobody\"")
	}
	if slices.Equal(l.Names, []string{"nobody"}) {
		l.Names = nil
	}
	l.Action, err = action(words)
	p.step().Who = append(p.step().Who, l)
	return err
}

func (p *parser) why(line int, text string) error {
	what, because, ok := strings.Cut(text, " because ")
	if !ok || strings.TrimSpace(because) == "" {
		return fmt.Errorf("a reason is written \"bob asks shop.orders because Sales: view-data unrestricted\"")
	}
	w := Why{Line: line, Text: text, Fragment: strings.TrimSpace(because)}
	var err error
	w.Person, w.Action, err = doing(what)
	p.step().Why = append(p.step().Why, w)
	return err
}

// finish checks what no single line can: that something is expected.
func (p *parser) finish() {
	expected := 0
	for i := range p.c.Steps {
		s := &p.c.Steps[i]
		expected += len(s.Expect) + len(s.Sees) + len(s.Who) + len(s.Why)
		if s.Put != nil && s.Put.Status != 0 {
			expected++
		}
		// "because Sales: ..." is a reason of Sales if there is such a group.
		for j := range s.Why {
			group, rest, ok := cutGroup(s.Why[j].Fragment)
			if ok && (group == AllUsers || group == Administrators || slices.ContainsFunc(p.c.Groups, func(g Group) bool { return g.Name == group })) {
				s.Why[j].Group, s.Why[j].Fragment = group, rest
			}
		}
	}
	if p.c.Promise == "" {
		p.bad(1, "the case promises nothing: a sentence above the first section says what")
	}
	if expected == 0 && p.wrong == nil {
		p.bad(1, "the case expects nothing; it needs a section can, cannot, sees, who or why")
	}
}
