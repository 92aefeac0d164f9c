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
	case kind == "can" || kind == "cannot":
		engines, err := onEngines(rest)
		if err != nil {
			p.bad(p.section, "%v", err)
		}
		p.each(data, func(line int, text string) error { return p.expect(line, text, kind == "can", engines) })
	case name == "sees":
		p.each(data, p.sees)
	case kind == "who" || kind == "why":
		engines, err := onEngines(rest)
		if err != nil {
			p.bad(p.section, "%v", err)
		}
		read := map[string]func(int, string, []string) error{"who": p.who, "why": p.why}[kind]
		p.each(data, func(line int, text string) error { return read(line, text, engines) })
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
