package query

import (
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// source reads the one source of a stage or join.
func (p *parser) source(n *node, s *source) error {
	for _, key := range []string{"source-table", "source-query", "source-card", "stages"} {
		v := n.get(key)
		if v == nil {
			continue
		}
		if s.at != nil {
			return v.errorf("there is another source beside it; a stage has one")
		}
		s.at = v
		var err error
		switch key {
		case "source-table":
			err = s.tableOrCard(v)
		case "source-card":
			s.card, err = v.id()
		case "source-query":
			if v.get("native") != nil {
				return v.errorf("SQL cannot be a source here: save it as a question and build on that")
			}
			s.block, err = p.block(v)
		case "stages":
			s.block, err = p.stages(v)
		}
		if err != nil {
			return err
		}
	}
	if s.at == nil {
		return n.errorf("has no \"source-table\"")
	}
	return nil
}

// tableOrCard reads 12, "12" or "card__12".
func (s *source) tableOrCard(n *node) error {
	if digits, is := strings.CutPrefix(n.text, "card__"); is && n.kind == isString {
		card := node{kind: isString, text: digits, up: n.up, at: n.at}
		id, err := card.id()
		s.card = id
		return err
	}
	id, err := n.id()
	s.table = catalog.TableID(id)
	return err
}

// strategies are the ways to join.
var strategies = []string{"left-join", "inner-join", "right-join", "full-join"}

// defaultAlias is the alias of a join that has none, as in Metabase.
const defaultAlias = "__join"

func (p *parser) join(n *node) (join, error) {
	j := join{at: n, alias: defaultAlias, strategy: "left-join"}
	if err := n.want(isObject); err != nil {
		return j, err
	}
	if err := p.source(n, &j.source); err != nil {
		return j, err
	}
	for i, key := range n.keys {
		v := n.items[i]
		var err error
		switch {
		case v.kind == isNull:
		case key == "source-table":
		case key == "source-query" && !p.staged, key == "condition" && !p.staged:
			if key == "condition" {
				j.condition, err = p.expr(v, asCondition)
			}
		case key == "stages" && p.staged:
		case key == "conditions" && p.staged:
			j.condition, err = p.allOf(v)
		case key == "alias":
			j.alias, err = p.name(v)
		case key == "strategy":
			if j.strategy, err = v.word(); err == nil && !slices.Contains(strategies, j.strategy) {
				err = v.errorf("%s is not a strategy; it is one of %s", quoted(j.strategy), strings.Join(strategies, ", "))
			}
		case key == "fields":
			err = p.joinFields(v, &j)
		case !ignored(key):
			err = v.errorf("there is no such key of a join")
		}
		if err != nil {
			return j, err
		}
	}
	if j.condition == nil {
		return j, n.errorf("has no condition")
	}
	return j, nil
}

func (p *parser) joinFields(n *node, j *join) (err error) {
	if n.kind != isString {
		j.fields, err = list(n, p.column)
		return err
	}
	if n.text != "all" && n.text != "none" {
		return n.errorf("must be \"all\", \"none\" or a list of fields")
	}
	j.all = n.text == "all"
	return nil
}
