package accesscase

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

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

// onEngines reads "on postgres, mysql"; nothing is every engine.
func onEngines(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	names, ok := strings.CutPrefix(text, "on ")
	engines := list(names)
	if !ok || len(engines) == 0 || slices.ContainsFunc(engines, func(e string) bool { return !contains(Engines, e) }) {
		return nil, fmt.Errorf("what holds on some engines is written can on sqlite; engines are %s", strings.Join(Engines, ", "))
	}
	return engines, nil
}

func (p *parser) expect(line int, text string, can bool, engines []string) error {
	person, a, err := doing(text)
	step := p.step()
	step.Expect = append(step.Expect, Expectation{Line: line, Text: text, Can: can, Person: person, Engines: engines, Action: a})
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

func (p *parser) who(line int, text string, engines []string) error {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return fmt.Errorf("who may do something is written \"asks shop.orders: ann, bob\"")
	}
	words, err := split(text[:i])
	if err != nil {
		return err
	}
	l := Listing{Line: line, Text: text, Names: list(text[i+1:]), Engines: engines}
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

func (p *parser) why(line int, text string, engines []string) error {
	what, because, ok := strings.Cut(text, " because ")
	if !ok || strings.TrimSpace(because) == "" {
		return fmt.Errorf("a reason is written \"bob asks shop.orders because Sales: view-data unrestricted\"")
	}
	w := Why{Line: line, Text: text, Fragment: strings.TrimSpace(because), Engines: engines}
	var err error
	w.Person, w.Action, err = doing(what)
	p.step().Why = append(p.step().Why, w)
	return err
}
