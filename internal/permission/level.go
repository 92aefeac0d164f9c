package permission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Kind is what a level is about. The first five are the kinds of the data
// graph, the last is the one of the collection graph.
type Kind uint8

// The kinds, named as on the wire by [Kind.String].
const (
	View       Kind = iota // whose rows may be shown
	Create                 // which questions may be asked
	Download               // how much may be exported
	DataModel              // who describes tables and fields
	Details                // who sees and changes the connection
	Collection             // who reads and curates a collection
	dataKinds  = int(Collection)
)

// Level is how much of a kind is given. Its zero value gives nothing. Levels
// are ordered: where several groups of a person give different levels of one
// kind, the highest counts - for View in the order in which permissions.md
// lets one override the other, so Blocked is above None.
type Level uint8

// None is nothing, of every kind. The seeds call it "no access": the data
// cannot be queried or seen to exist, but results saved in a readable
// collection are shown.
const None Level = 0

// Levels of View.
const (
	Blocked      Level = iota + 1 // saved results hide as well
	Impersonated                  // rows as a database role sees them; whole databases only
	Sandboxed                     // rows and columns as a policy says; single tables only
	Unrestricted                  // all rows
)

// Levels of Create.
const (
	QueryBuilder Level = iota + 1
	Native             // whole databases only
)

// Levels of Download.
const (
	Limited Level = iota + 1
	Full
)

// Yes is the one level of DataModel and Details above None.
const Yes Level = 1

// Levels of Collection.
const (
	Read Level = iota + 1
	Write
)

var kindNames = [...]string{"view-data", "create-queries", "download", "data-model", "details", "collection"}

// words holds the wire's words for the levels of each kind, lowest first
// (reference 1.1, 4.7).
var words = [...][]string{
	View:       {"none", "blocked", "impersonated", "sandboxed", "unrestricted"},
	Create:     {"no", "query-builder", "query-builder-and-native"},
	Download:   {"none", "limited", "full"},
	DataModel:  {"none", "all"},
	Details:    {"no", "yes"},
	Collection: {"none", "read", "write"},
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Word is the wire's word for a level of this kind.
func (k Kind) Word(l Level) string {
	if int(k) < len(words) && int(l) < len(words[k]) {
		return words[k][l]
	}
	return "unknown level"
}

// Parse reads the wire's word for a level. "legacy-no-self-service" is
// Metabase's explicit name for None of View. The error names the words there
// are.
func (k Kind) Parse(word string) (Level, error) {
	if int(k) < len(words) {
		if i := slices.Index(words[k], word); i >= 0 {
			return Level(i), nil
		}
		if k == View && word == "legacy-no-self-service" {
			return None, nil
		}
		return None, fmt.Errorf("%q is not a level of %s; it is one of %s", word, k, strings.Join(words[k], ", "))
	}
	return None, fmt.Errorf("%q is a level of an unknown kind", word)
}

// ParseKind reads a kind's wire name.
func ParseKind(name string) (Kind, error) {
	if i := slices.Index(kindNames[:], name); i >= 0 {
		return Kind(i), nil
	}
	return 0, fmt.Errorf("%q is not a kind of permission; it is one of %s", name, strings.Join(kindNames[:], ", "))
}

// less tells whether a gives less than b. Blocked gives less than None,
// though it overrides it.
func (k Kind) less(a, b Level) bool {
	if k == View && a <= Blocked && b <= Blocked {
		return a == Blocked && b == None
	}
	return a < b
}

// fits tells whether the level may be written at a scope of this depth.
func (k Kind) fits(l Level, d Depth) bool {
	switch {
	case int(l) >= len(words[k]):
		return false
	case k == Details:
		return d == OfDatabase
	case k == View && l == Impersonated, k == Create && l == Native:
		return d == OfDatabase
	case k == View && l == Sandboxed:
		return d == OfTable
	}
	return true
}

// Depth is how deep in a database a level is written. The deepest level that
// is written for a table counts.
type Depth uint8

// The depths.
const (
	OfDatabase Depth = iota
	OfSchema
	OfTable
)

// Scope is the part of a database that a level is written for. Its zero value
// is the whole database.
type Scope struct {
	Depth  Depth           `json:"depth,omitempty"`
	Schema string          `json:"schema,omitempty"` // for OfSchema
	Table  catalog.TableID `json:"table,omitempty"`  // for OfTable
}

// WholeDatabase is the scope of everything in a database.
func WholeDatabase() Scope { return Scope{} }

// WholeSchema is the scope of everything in a schema.
func WholeSchema(name string) Scope { return Scope{Depth: OfSchema, Schema: name} }

// OneTable is the scope of one table.
func OneTable(id catalog.TableID) Scope { return Scope{Depth: OfTable, Table: id} }

// Cell is a level as it was written at one scope.
type Cell struct {
	// Set tells a written None from nothing written.
	Set   bool  `json:"set,omitempty"`
	Level Level `json:"level,omitempty"`
	// Wide marks an Unrestricted of a table that came with a wide grant (the
	// seeds' table-level "all", or one that Create forced). On a strict
	// database it does not open the table.
	Wide bool `json:"wide,omitempty"`
	// At is the revision of the writing. A table newer than a wide level can
	// be pending under it.
	At catalog.Revision `json:"at,omitempty"`
	// Attribute, of an Impersonated view, is the attribute of people whose value
	// names the database role that they are seen as. Without one the view shows
	// nothing.
	Attribute string `json:"attribute,omitempty"`
}
