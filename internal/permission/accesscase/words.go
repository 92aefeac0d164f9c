package accesscase

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/sluice-bi/sluice/internal/permission"
)

// Verb is what somebody does, as a pattern of words.
type Verb string

// The verbs. A word in braces stands for a name: of a table or database as in
// Ref, of a question, dashboard or collection in quotation marks ("root" is
// the root collection).
const (
	Administers     Verb = "administers"
	SeesDatabase    Verb = "sees database {database}"
	WritesSQL       Verb = "writes sql on {database}"
	Manages         Verb = "manages {database}"
	SeesTable       Verb = "sees table {table}"
	Asks            Verb = "asks {table}"     // with the query builder
	IsShown         Verb = "is shown {table}" // results of saved questions that read it
	Describes       Verb = "describes {table}"
	Exports         Verb = "exports {table}"                // some rows at least
	ExportsAll      Verb = "exports all of {table}"         // without a limit
	FindsTable      Verb = "finds table {table}"            // by its name
	ListsValues     Verb = "lists values of {table}"        // of its first column
	Chooses         Verb = "chooses from values of {table}" // for a parameter that is about to be made
	Joins           Verb = "asks {table} joined with {other}"
	Follows         Verb = "asks {table} through its key to {other}"
	JoinsQuestion   Verb = "asks {table} joined with question {question}"
	UsesMetric      Verb = "asks {table} by metric {question}"
	BuildsAndJoins  Verb = "builds on question {question} joined with {table}"
	WritesSQLOver   Verb = "writes sql over question {question}" // with the question in a tag
	OpensCollection Verb = "opens collection {collection}"
	Curates         Verb = "curates collection {collection}"

	RunsQuestion    Verb = "runs question {question}"
	EditsQuestion   Verb = "edits question {question}" // its query
	RenamesQuestion Verb = "renames question {question}"
	BuildsOn        Verb = "builds on question {question}"              // asks something on top of it
	ChoosesFrom     Verb = "chooses from values of question {question}" // for a parameter that is about to be made
	ChoosesFor      Verb = "chooses a value for question {question}"    // for a parameter on its first table
	ExportsQuestion Verb = "exports question {question}"
	Finds           Verb = "finds question {question}" // by its name
	MovesQuestion   Verb = "moves question {question} to {collection}"
	SavesQuestion   Verb = "saves a question on {table} in {collection}"
	SavesSQL        Verb = "saves sql on {database} in {collection}"
	OpensDashboard  Verb = "opens dashboard {dashboard}"
	EditsDashboard  Verb = "edits dashboard {dashboard}"
	SeesCard        Verb = "sees card {question} of {dashboard}"
	SeesCardLocked  Verb = "sees card {question} of {dashboard} locked" // that it is there, and nothing of it
	RunsCard        Verb = "runs card {question} of {dashboard}"
	ChoosesOn       Verb = "chooses a value for card {question} of {dashboard}"
)

// Verbs lists all verbs.
func Verbs() []Verb {
	return []Verb{
		Administers, SeesDatabase, WritesSQL, Manages, SeesTable, Asks, IsShown, Describes, Exports, ExportsAll,
		FindsTable, ListsValues, Chooses, Joins, Follows, JoinsQuestion, UsesMetric, BuildsAndJoins, WritesSQLOver,
		OpensCollection, Curates, RunsQuestion, EditsQuestion, RenamesQuestion, BuildsOn, ChoosesFrom, ChoosesFor, ExportsQuestion, Finds, MovesQuestion,
		SavesQuestion, SavesSQL, OpensDashboard, EditsDashboard, SeesCardLocked, SeesCard, RunsCard, ChoosesOn,
	}
}

// word is a token of a line: a run of characters other than space, or a text
// in quotation marks.
type word struct {
	text   string
	quoted bool
}

// split cuts a line into words. A comma or colon at the end of a word is a
// word of its own. The words of "bob's personal collection" are one, quoted.
func split(line string) ([]word, error) {
	var words []word
	rest := strings.TrimSpace(line)
	for rest != "" {
		if rest[0] == '"' {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return nil, fmt.Errorf("a quotation mark is not closed")
			}
			words = append(words, word{rest[1 : end+1], true})
			rest = strings.TrimLeftFunc(rest[end+2:], unicode.IsSpace)
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return unicode.IsSpace(r) || r == '"' })
		if end < 0 {
			end = len(rest)
		}
		text := rest[:end]
		rest = strings.TrimLeftFunc(rest[end:], unicode.IsSpace)
		bare := strings.TrimRight(text, ",:")
		if bare != "" {
			words = append(words, word{text: bare})
		}
		for _, mark := range text[len(bare):] {
			words = append(words, word{text: string(mark)})
		}
	}
	return joinPersonal(words), nil
}

const personal = "'s personal collection"

func joinPersonal(words []word) []word {
	var joined []word
	for i := 0; i < len(words); i++ {
		w := words[i]
		if !w.quoted && strings.HasSuffix(w.text, "'s") && i+2 < len(words) &&
			words[i+1] == (word{text: "personal"}) && words[i+2] == (word{text: "collection"}) {
			w = word{w.text + " personal collection", true}
			i += 2
		}
		joined = append(joined, w)
	}
	return joined
}

// match compares words with a pattern and returns what stands for its braces,
// by the name in them.
func match(pattern string, words []word) (map[string]word, bool) {
	parts := strings.Fields(pattern)
	if len(parts) != len(words) {
		return nil, false
	}
	var found map[string]word
	for i, p := range parts {
		switch name, is := strings.CutPrefix(p, "{"); {
		case is:
			if found == nil {
				found = map[string]word{}
			}
			found[strings.TrimSuffix(name, "}")] = words[i]
		case words[i].quoted || words[i].text != p:
			return nil, false
		}
	}
	return found, true
}

// action reads a verb and its objects.
func action(words []word) (Action, error) {
	for _, v := range Verbs() {
		found, ok := match(string(v), words)
		if !ok {
			continue
		}
		a := Action{Verb: v}
		for name, w := range found {
			if err := a.fill(name, w); err != nil {
				return Action{}, err
			}
		}
		return a, nil
	}
	return Action{}, fmt.Errorf("%q is none of the things that people do; see the verbs of package accesscase", join(words))
}

func (a *Action) fill(name string, w word) error {
	if quoted := name != "table" && name != "other" && name != "database"; quoted != w.quoted {
		return fmt.Errorf("a %s is written %s: %q", name, map[bool]string{true: "in quotation marks", false: "without quotation marks"}[quoted], w.text)
	}
	switch name {
	case "table", "other", "database":
		ref, err := parseRef(w.text)
		if err != nil {
			return err
		}
		if want := map[string]permission.Depth{"table": permission.OfTable, "other": permission.OfTable, "database": permission.OfDatabase}[name]; ref.Depth != want {
			return fmt.Errorf("%q is not a %s", w.text, name)
		}
		switch name {
		case "table":
			a.Table = ref
		case "other":
			a.Other = ref
		}
		a.Database = ref.Database
	case "collection":
		a.Collection = w.text
	case "question":
		a.Question = w.text
	case "dashboard":
		a.Dashboard = w.text
	}
	return nil
}

// parseRef reads "shop", "shop.*", "shop.public.*", "shop.orders" or
// "shop.public.orders".
func parseRef(s string) (Ref, error) {
	parts := strings.Split(s, ".")
	for i, p := range parts {
		if p == "*" && i == len(parts)-1 && i > 0 {
			continue
		}
		if !isName(p) {
			return Ref{}, fmt.Errorf("%q is not the name of a database, schema or table", s)
		}
	}
	last := parts[len(parts)-1]
	switch {
	case len(parts) == 1:
		return Ref{Database: s}, nil
	case len(parts) == 2 && last == "*":
		return Ref{Depth: permission.OfSchema, Database: parts[0]}, nil
	case len(parts) == 3 && last == "*":
		return Ref{Depth: permission.OfSchema, Database: parts[0], Schema: parts[1]}, nil
	case len(parts) == 2:
		return Ref{Depth: permission.OfTable, Database: parts[0], Table: last, Bare: true}, nil
	case len(parts) == 3:
		return Ref{Depth: permission.OfTable, Database: parts[0], Schema: parts[1], Table: last}, nil
	}
	return Ref{}, fmt.Errorf("%q has too many dots", s)
}

// isName tells whether s is a word of letters, digits, _ and -.
func isName(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	}) < 0
}

func join(words []word) string {
	var parts []string
	for _, w := range words {
		if w.quoted {
			parts = append(parts, `"`+w.text+`"`)
		} else {
			parts = append(parts, w.text)
		}
	}
	return strings.Join(parts, " ")
}
