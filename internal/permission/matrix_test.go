package permission_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/permission/accesscase"
)

// The matrix of the seeds: what Bob can do with Alice's question, by his level
// on its data and his level on its collection, for each kind of thing.
var (
	dataLevels       = []string{"1", "2", "3", "blocked"}
	collectionLevels = []string{"write", "read", "none"}
	contents         = []string{"question builder", "native question", "dashboard card", "personal"}
)

// asked are the verbs that a case must say yes or no to about each kind of
// thing, for the cell to count.
func asked(content string) []string {
	switch content {
	case "question builder":
		return []string{string(accesscase.Asks), string(accesscase.RunsQuestion), string(accesscase.EditsQuestion), string(accesscase.RenamesQuestion), string(accesscase.BuildsOn), string(accesscase.SavesQuestion)}
	case "native question":
		return []string{string(accesscase.WritesSQL), "native " + string(accesscase.RunsQuestion), "native " + string(accesscase.EditsQuestion), string(accesscase.SavesSQL)}
	case "dashboard card":
		return []string{string(accesscase.OpensDashboard), string(accesscase.SeesCard), string(accesscase.SeesCardLocked), string(accesscase.RunsCard)}
	}
	return []string{"own " + string(accesscase.SavesQuestion), "own " + string(accesscase.SavesSQL), "own " + string(accesscase.Curates), "other's " + string(accesscase.OpensCollection)}
}

// TestEveryCellOfTheMatrixHasACase: a cell is found by what the case grants,
// not by the file's name, and counts when the case says of every verb whether
// it can be done.
func TestEveryCellOfTheMatrixHasACase(t *testing.T) {
	covered := map[string][]string{}
	for _, c := range cases(t) {
		data, collection, ok := levelsOf(c)
		if !ok {
			continue
		}
		said := verbsSaid(c)
		for _, content := range contents {
			if !slices.ContainsFunc(asked(content), func(v string) bool { return !said[v] }) {
				cell := cellName(data, collection, content)
				covered[cell] = append(covered[cell], c.Name)
			}
		}
	}
	for _, data := range dataLevels {
		for _, collection := range collectionLevels {
			for _, content := range contents {
				if cell := cellName(data, collection, content); covered[cell] == nil {
					t.Errorf("no case says what Bob can do with %s", cell)
				}
			}
		}
	}
}

func cellName(data, collection, content string) string {
	return fmt.Sprintf("a %s, data level %s, collection level %s", content, data, collection)
}

// levelsOf finds the cell of a case on the sample warehouse: Bob is in one
// group, which has levels on the whole of it and on the collection of a
// question.
func levelsOf(c *accesscase.Case) (data, collection string, ok bool) {
	if len(c.Databases) != 1 || !c.Databases[0].Sample || len(c.Questions) == 0 {
		return "", "", false
	}
	bob := slices.IndexFunc(c.People, func(p accesscase.Person) bool { return p.Name == "bob" })
	if bob < 0 || len(c.People[bob].Groups) != 1 {
		return "", "", false
	}
	view, create := permission.None, permission.None
	collection = "none"
	for _, s := range c.Grants {
		if s.Group != c.People[bob].Groups[0] {
			return "", "", false
		}
		if s.Do == accesscase.OnCollection && s.Collection == c.Questions[0].Collection {
			collection = permission.Collection.Word(s.Level)
		}
		for _, l := range s.Levels {
			switch l.Kind {
			case permission.View:
				view = l.Level
			case permission.Create:
				create = l.Level
			}
		}
	}
	switch {
	case view == permission.Blocked:
		data = "blocked"
	case view == permission.Unrestricted && create == permission.Native:
		data = "1"
	case view == permission.Unrestricted && create == permission.QueryBuilder:
		data = "2"
	default:
		data = "3"
	}
	return data, collection, true
}

// verbsSaid are the verbs that the case expects something of, about Bob.
func verbsSaid(c *accesscase.Case) map[string]bool {
	said := map[string]bool{}
	for _, e := range c.Steps[0].Expect {
		if e.Person != "bob" {
			continue
		}
		verb := string(e.Verb)
		switch q, err := c.Question(e.Question); {
		case e.Question != "" && err == nil && q.Native && e.Dashboard == "":
			verb = "native " + verb
		case e.Collection == accesscase.PersonalCollection("bob"):
			verb = "own " + verb
		case e.Collection == accesscase.PersonalCollection("carol"):
			verb = "other's " + verb
		}
		said[verb] = true
	}
	return said
}
