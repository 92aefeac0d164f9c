package accesscase

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Statement is one line of grants or write: something that is written, or
// done, about a group, a person or a thing.
type Statement struct {
	Line       int
	Text       string
	Do         Deed
	Group      string
	Person     string
	Levels     []Level // for Levels
	Scope      Ref
	Collection string
	Level      permission.Level // for OnCollection
	Where      []Condition      // for Policy
	Name       string           // of an attribute
	Value      string
	On         bool // whether a flag is set or taken
}

// Level is a level of one kind as the seeds' words or the wire's name it.
type Level struct {
	Kind  permission.Kind
	Level permission.Level
	Wide  bool   // written for a table by a grant that meant more
	By    string // of an impersonated view: the attribute that names the role
}

// Condition is one equality of a policy: a column and the attribute it must
// equal.
type Condition struct{ Field, Attribute string }

// Deed is what a statement does, as a pattern of words. Those that begin with
// "{group} :" name a group first.
type Deed string

// The deeds that may stand in grants as well as in write.
const (
	Levels       Deed = "{group} : {levels} on {scope}"              // view blocked, create no on shop
	Policy       Deed = "{group} : rows of {table} where {equality}" // organization_id = their organization_id and ...; or "nothing"
	OnCollection Deed = "{group} : reads | curates | no access to {collection}"
)

// The deeds of write alone.
const (
	Everything Deed = "{group} : everything on {scope}"   // the seeds' "all"
	Sandboxes  Deed = "{group} : sandboxed on {table}"    // the seeds' "sandboxed"
	LeftOut    Deed = "{group} : left out on {scope}"     // what a complete body does not hold
	NoPolicy   Deed = "{group} : no policy on {table}"    // the policy goes, the level stays
	AddMember  Deed = "add {person} to {group}"           //
	DropMember Deed = "remove {person} from {group}"      //
	Activate   Deed = "activate | deactivate {person}"    //
	Attribute  Deed = "{person} has {name} = {value}"     // an empty value is written ""
	DropGroup  Deed = "delete group {group}"              //
	Internal   Deed = "{group} : internal | not internal" //
	MarkTable  Deed = "mark {table} [not] governed | shared"
	MakeStrict Deed = "make {database} [not] strict"
	Arrives    Deed = "table {table} arrives" // a new table
	Leaves     Deed = "table {table} leaves"
)

// statement reads a line of grants or write.
func statement(line int, text string) (Statement, error) {
	s := Statement{Line: line, Text: text}
	if group, rest, ok := cutGroup(text); ok {
		s.Group = group
		words, err := split(rest)
		if err != nil {
			return s, err
		}
		return s, s.aboutGroup(words)
	}
	words, err := split(text)
	if err != nil {
		return s, err
	}
	return s, s.other(words)
}

// cutGroup cuts "Sales: ..." at the colon.
func cutGroup(text string) (group, rest string, ok bool) {
	group, rest, ok = strings.Cut(text, ":")
	group = strings.TrimSpace(group)
	return group, strings.TrimSpace(rest), ok && group != "" && !strings.Contains(group, `"`)
}

func (s *Statement) aboutGroup(words []word) error {
	is := func(pattern string) (map[string]word, bool) { return match(pattern, words) }
	if w, ok := is("everything on {scope}"); ok {
		s.Do = Everything
		return s.scope(w["scope"])
	}
	if w, ok := is("left out on {scope}"); ok {
		s.Do = LeftOut
		return s.scope(w["scope"])
	}
	if w, ok := is("sandboxed on {table}"); ok {
		s.Do = Sandboxes
		return s.table(w["table"])
	}
	if w, ok := is("no policy on {table}"); ok {
		s.Do = NoPolicy
		return s.table(w["table"])
	}
	for pattern, level := range map[string]permission.Level{"no access to {collection}": permission.None, "reads {collection}": permission.Read, "curates {collection}": permission.Write} {
		if w, ok := is(pattern); ok {
			s.Do, s.Level = OnCollection, level
			return s.collection(w["collection"])
		}
	}
	if w, ok := is("collection level {n} on {collection}"); ok {
		// The seeds count from the most to the least.
		n, err := strconv.Atoi(w["n"].text)
		if err != nil || n < 1 || n > 3 {
			return fmt.Errorf("a collection level is 1 (curate), 2 (view) or 3 (no access), not %q", w["n"].text)
		}
		s.Do, s.Level = OnCollection, permission.Write-permission.Level(n-1)
		return s.collection(w["collection"])
	}
	if _, ok := is("internal"); ok {
		s.Do, s.On = Internal, true
		return nil
	}
	if _, ok := is("not internal"); ok {
		s.Do = Internal
		return nil
	}
	if len(words) > 3 && words[0].text == "rows" {
		return s.policy(words)
	}
	return s.levels(words)
}

func (s *Statement) scope(w word) (err error) {
	if w.quoted {
		return fmt.Errorf("a database, schema or table is written without quotation marks: %q", w.text)
	}
	s.Scope, err = parseRef(w.text)
	return err
}

func (s *Statement) table(w word) error {
	if err := s.scope(w); err != nil {
		return err
	}
	if s.Scope.Depth != permission.OfTable {
		return fmt.Errorf("%q is not a table", w.text)
	}
	return nil
}

func (s *Statement) collection(w word) error {
	if !w.quoted {
		return fmt.Errorf("a collection is written in quotation marks: %q", w.text)
	}
	s.Collection = w.text
	return nil
}

// policy reads "rows of shop.orders where a = their b and c = their d".
func (s *Statement) policy(words []word) error {
	s.Do = Policy
	if words[1].text != "of" || len(words) < 5 || words[3].text != "where" {
		return fmt.Errorf(`a policy is written "rows of shop.orders where organization_id = their organization_id"`)
	}
	if err := s.table(words[2]); err != nil {
		return err
	}
	rest := words[4:]
	if len(rest) == 1 && rest[0].text == "nothing" {
		return nil
	}
	for {
		if len(rest) < 4 || rest[1].text != "=" || rest[2].text != "their" || !isName(rest[0].text) {
			return fmt.Errorf("%q is not a condition such as organization_id = their organization_id", join(rest))
		}
		s.Where = append(s.Where, Condition{rest[0].text, rest[3].text})
		rest = rest[4:]
		if len(rest) == 0 {
			return nil
		}
		if rest[0].text != "and" {
			return fmt.Errorf("conditions are joined by \"and\", not %q", rest[0].text)
		}
		rest = rest[1:]
	}
}

// levels reads "view unrestricted, create native on shop" and "data level 2 on
// shop".
func (s *Statement) levels(words []word) error {
	s.Do = Levels
	if len(words) < 4 || words[len(words)-2].text != "on" {
		return fmt.Errorf("%q says nothing that a group can be given; levels are written \"view unrestricted, create native on shop\"", join(words))
	}
	if err := s.scope(words[len(words)-1]); err != nil {
		return err
	}
	rest := words[:len(words)-2]
	for len(rest) > 0 {
		end := 0
		for end < len(rest) && rest[end].text != "," {
			end++
		}
		levels, err := level(rest[:end])
		if err != nil {
			return err
		}
		s.Levels = append(s.Levels, levels...)
		rest = rest[min(end+1, len(rest)):]
	}
	return nil
}

// level reads "view unrestricted", "wide view unrestricted" or "data level 2".
func level(words []word) ([]Level, error) {
	if w, ok := match("data level {n}", words); ok {
		switch w["n"].text {
		case "1":
			return []Level{{Kind: permission.View, Level: permission.Unrestricted}, {Kind: permission.Create, Level: permission.Native}}, nil
		case "2":
			return []Level{{Kind: permission.View, Level: permission.Unrestricted}, {Kind: permission.Create, Level: permission.QueryBuilder}}, nil
		case "3":
			return []Level{{Kind: permission.View}, {Kind: permission.Create}}, nil
		}
		return nil, fmt.Errorf("a data level is 1 (questions and SQL), 2 (questions) or 3 (no access), not %q", w["n"].text)
	}
	wide := len(words) == 3 && words[0].text == "wide"
	if wide {
		words = words[1:]
	}
	by := ""
	if len(words) == 4 && words[1].text == "impersonated" && words[2].text == "by" {
		by, words = words[3].text, words[:2]
	}
	if len(words) != 2 {
		return nil, fmt.Errorf("%q is not a level; levels are written \"view unrestricted\" or \"data level 2\"", join(words))
	}
	name, known := map[string]string{"view": "view-data", "create": "create-queries"}[words[0].text]
	if !known {
		name = words[0].text
	}
	k, err := permission.ParseKind(name)
	if err != nil {
		return nil, err
	}
	to := words[1].text
	if k == permission.Create && to == "native" {
		to = "query-builder-and-native"
	}
	l, err := k.Parse(to)
	if err != nil {
		return nil, err
	}
	if k == permission.Collection {
		return nil, fmt.Errorf("access to a collection is written reads, curates or no access to")
	}
	if wide && (k != permission.View || l != permission.Unrestricted) {
		return nil, fmt.Errorf("only view unrestricted can be wide")
	}
	if by != "" && (k != permission.View || l != permission.Impersonated) {
		return nil, fmt.Errorf("only view impersonated is by an attribute")
	}
	return []Level{{k, l, wide, by}}, nil
}

// other reads the deeds that do not begin with a group.
func (s *Statement) other(words []word) error {
	if len(words) > 3 && words[0].text == "add" && words[2].text == "to" {
		s.Do, s.Person, s.Group = AddMember, words[1].text, join(words[3:])
		return nil
	}
	if len(words) > 3 && words[0].text == "remove" && words[2].text == "from" {
		s.Do, s.Person, s.Group = DropMember, words[1].text, join(words[3:])
		return nil
	}
	if len(words) > 2 && words[0].text == "delete" && words[1].text == "group" {
		s.Do, s.Group = DropGroup, join(words[2:])
		return nil
	}
	if w, ok := match("activate {person}", words); ok {
		s.Do, s.Person, s.On = Activate, w["person"].text, true
		return nil
	}
	if w, ok := match("deactivate {person}", words); ok {
		s.Do, s.Person = Activate, w["person"].text
		return nil
	}
	if w, ok := match("{person} has {name} = {value}", words); ok {
		s.Do, s.Person, s.Name, s.Value = Attribute, w["person"].text, w["name"].text, w["value"].text
		return nil
	}
	if w, ok := match("table {table} arrives", words); ok {
		s.Do = Arrives
		return s.table(w["table"])
	}
	if w, ok := match("table {table} leaves", words); ok {
		s.Do = Leaves
		return s.table(w["table"])
	}
	for _, on := range []bool{true, false} {
		not := map[bool]string{true: "", false: "not "}[on]
		for _, mark := range []string{"governed", "shared"} {
			if w, ok := match("mark {table} "+not+mark, words); ok {
				s.Do, s.Name, s.On = MarkTable, mark, on
				return s.table(w["table"])
			}
		}
		if w, ok := match("make {database} "+not+"strict", words); ok {
			s.Do, s.On = MakeStrict, on
			if err := s.scope(w["database"]); err != nil {
				return err
			}
			if s.Scope.Depth != permission.OfDatabase {
				return fmt.Errorf("%q is not a database", s.Scope)
			}
			return nil
		}
	}
	return fmt.Errorf("%q is nothing that can be done; see the deeds of package accesscase", join(words))
}

// beginning tells whether the statement may stand in grants.
func (s *Statement) beginning() bool {
	return s.Do == Levels || s.Do == Policy || s.Do == OnCollection
}
