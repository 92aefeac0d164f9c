package permission

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
)

// Right is something that one may be allowed to do with an [Object].
type Right uint8

// The rights, each with the object it is asked about. The zero Right is never
// granted.
const (
	_                Right = iota
	Administer             // Server: people, groups, permissions, settings, connections
	SeeDatabase            // a database: know that it exists, have it listed
	QueryNatively          // a database: write SQL
	ManageDatabase         // a database: see and change the connection
	SeeTable               // a table: know that it exists, read its metadata
	QueryTable             // a table: ask questions with the query builder
	ShowTable              // a table: be shown results of saved questions that read it
	DescribeTable          // a table: change its metadata
	ReadCollection         // a collection: see it and its items, run its questions
	CurateCollection       // a collection: change it and its items
)

var rightNames = [...]string{"nothing", "administer", "see database", "query natively", "manage database",
	"see table", "query table", "show table", "describe table", "read collection", "curate collection"}

func (r Right) String() string {
	if int(r) < len(rightNames) {
		return rightNames[r]
	}
	return "unknown right"
}

// Object is what a right is about.
type Object struct {
	kind objectKind
	id   int64
}

type objectKind uint8

const (
	aServer objectKind = iota + 1
	aDatabase
	aTable
	aCollection
)

// Server is the object of Administer.
var Server = Object{kind: aServer}

// ADatabase is the database as an object of rights.
func ADatabase(id catalog.DatabaseID) Object { return Object{aDatabase, int64(id)} }

// ATable is the table as an object of rights.
func ATable(id catalog.TableID) Object { return Object{aTable, int64(id)} }

// ACollection is the collection as an object of rights.
func ACollection(id CollectionID) Object { return Object{aCollection, int64(id)} }

func (o Object) String() string {
	switch o.kind {
	case aServer:
		return "the server"
	case aDatabase:
		return fmt.Sprintf("database %d", o.id)
	case aTable:
		return fmt.Sprintf("table %d", o.id)
	case aCollection:
		return "collection " + CollectionID(o.id).String()
	}
	return "nothing"
}

// ParseRight reads a right's name, such as "query table" or "query-table".
func ParseRight(name string) (Right, error) {
	if i := slices.Index(rightNames[:], strings.ReplaceAll(name, "-", " ")); i > 0 {
		return Right(i), nil
	}
	return 0, fmt.Errorf("%q is not a right; it is one of %s", name, strings.Join(rightNames[1:], ", "))
}
