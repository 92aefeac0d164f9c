package accesscase

import (
	"fmt"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// Demand is one thing that the engine is asked on behalf of an action: the
// action is possible if every demand of it is met.
type Demand struct {
	Right  permission.Right
	On     permission.Object
	Table  catalog.TableID  // for Whole and Export
	Whole  bool             // no row may be hidden: SQL is not filtered
	Maybe  bool             // the right may be missing, but not for a policy that cannot be applied
	Export permission.Level // how much must be exportable
	Not    bool             // the right must be missing
}

// Met tells whether a person meets the demand.
func (d Demand) Met(a permission.Access) bool {
	can := a.Can(d.Right, d.On)
	if d.Not {
		return !can
	}
	if d.Maybe && !can {
		return a.Unmet(d.Right, d.Table) == nil
	}
	if d.Whole && can {
		rows, err := a.Rows(d.Right, d.Table)
		can = err == nil && rows.All()
	}
	return can && (d.Export == permission.None || a.Download(d.Table) >= d.Export)
}

// Demands is what an action needs. It mirrors which rights the routes of the
// API ask for; running a case over HTTP shows whether it does.
func (c *Case) Demands(a Action, w *World) ([]Demand, error) {
	l := &demands{c: c, w: w}
	switch a.Verb {
	case Administers:
		l.add(permission.Administer, permission.Server)
	case SeesDatabase:
		l.database(permission.SeeDatabase, a.Database)
	case WritesSQL:
		l.writes(a.Database)
	case Manages:
		l.database(permission.ManageDatabase, a.Database)
	case SeesTable:
		l.table(permission.SeeTable, a.Table)
	case Asks:
		l.table(permission.QueryTable, a.Table)
	case IsShown:
		l.table(permission.ShowTable, a.Table)
	case Describes:
		l.table(permission.DescribeTable, a.Table)
	case Exports:
		l.table(permission.ShowTable, a.Table).Export = permission.Limited
	case ExportsAll:
		l.table(permission.ShowTable, a.Table).Export = permission.Full
	case FindsTable:
		l.table(permission.SeeTable, a.Table)
	case ListsValues, Chooses:
		l.table(permission.QueryTable, a.Table)
	case Joins, Follows:
		l.table(permission.QueryTable, a.Table)
		l.table(permission.QueryTable, a.Other)
	case OpensCollection:
		l.collection(permission.ReadCollection, a.Collection)
	case Curates:
		l.collection(permission.CurateCollection, a.Collection)
	case SavesQuestion:
		l.table(permission.QueryTable, a.Table)
		l.collection(permission.CurateCollection, a.Collection)
	case SavesSQL:
		l.writes(a.Database)
		l.collection(permission.CurateCollection, a.Collection)
	case OpensDashboard:
		l.dashboard(permission.ReadCollection, a)
	case EditsDashboard:
		l.dashboard(permission.CurateCollection, a)
	default:
		l.question(a)
	}
	return l.list, l.err
}

type demands struct {
	c    *Case
	w    *World
	list []Demand
	err  error
}

func (l *demands) add(r permission.Right, on permission.Object) *Demand {
	l.list = append(l.list, Demand{Right: r, On: on})
	return &l.list[len(l.list)-1]
}

func (l *demands) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *demands) database(r permission.Right, name string) *Demand {
	id, err := l.w.Database(name)
	if err != nil {
		l.fail(err)
	}
	return l.add(r, permission.ADatabase(id))
}

func (l *demands) table(r permission.Right, ref Ref) *Demand {
	id, err := l.w.Table(ref)
	if err != nil {
		l.fail(err)
	}
	d := l.add(r, permission.ATable(id))
	d.Table = id
	return d
}

func (l *demands) collection(r permission.Right, path string) *Demand {
	id, err := l.w.Collection(path)
	if err != nil {
		l.fail(err)
	}
	return l.add(r, permission.ACollection(id))
}

func (l *demands) dashboard(r permission.Right, a Action) *Dashboard {
	for i, d := range l.c.Dashboards {
		if d.Name != a.Dashboard {
			continue
		}
		l.collection(r, d.Collection)
		return &l.c.Dashboards[i]
	}
	l.fail(fmt.Errorf("there is no dashboard %q", a.Dashboard))
	return nil
}

// question is the demands of the verbs about a saved question.
func (l *demands) question(a Action) {
	q, err := l.c.Question(a.Question)
	if err != nil {
		l.fail(err)
		return
	}
	if a.Dashboard != "" {
		d := l.dashboard(permission.ReadCollection, a)
		if d != nil && !contains(d.Questions, q.Name) {
			l.fail(fmt.Errorf("dashboard %q does not show %q", d.Name, q.Name))
		}
	}
	switch a.Verb {
	case RunsQuestion, RunsCard:
		l.reads(q, permission.ShowTable, permission.None)
	case ExportsQuestion:
		l.reads(q, permission.ShowTable, permission.Limited)
	case JoinsQuestion, UsesMetric, BuildsAndJoins:
		l.reads(q, permission.QueryTable, permission.None)
		l.table(permission.QueryTable, a.Table)
	case WritesSQLOver:
		l.reads(q, permission.QueryTable, permission.None)
		l.writes(q.Tables[0].Database)
	case Finds:
		l.collection(permission.ReadCollection, q.Collection)
	case SeesCard:
		l.collection(permission.ReadCollection, q.Collection)
	case SeesCardLocked:
		l.collection(permission.ReadCollection, q.Collection).Not = true
	case RenamesQuestion:
		l.collection(permission.CurateCollection, q.Collection)
	case MovesQuestion:
		l.collection(permission.CurateCollection, q.Collection)
		l.collection(permission.CurateCollection, a.Collection)
	case EditsQuestion:
		l.collection(permission.CurateCollection, q.Collection)
		l.asks(q)
	case BuildsOn, ChoosesFrom:
		l.reads(q, permission.QueryTable, permission.None)
	case ChoosesFor, ChoosesOn: // no more is asked than the values of one column
		l.collection(permission.ReadCollection, q.Collection)
		l.table(permission.ShowTable, q.Tables[0])
	default:
		l.fail(fmt.Errorf("%q is not a verb", a.Verb))
	}
}

// writes is what writing SQL on a database needs: no policy may be in the way
// that cannot be applied, where SQL is held to policies.
func (l *demands) writes(database string) {
	l.database(permission.QueryNatively, database)
	if catalog.Governs(l.w.Engine) {
		for _, t := range l.all(database) {
			l.table(permission.QueryTable, t).Maybe = true
		}
	}
}

// reads is what the rows of a saved question need: every question below it
// must be readable, and every table with the right. SQL in it is held to what
// its reader may see on SQLite alone; elsewhere nothing of the database may be
// hidden. It is exported as far as all tables that it may read.
func (l *demands) reads(q *Question, right permission.Right, export permission.Level) {
	for below := q; below != nil; below = l.below(below) {
		l.collection(permission.ReadCollection, below.Collection)
	}
	tables, held := q.Tables, catalog.Governs(l.w.Engine)
	if q.SQL {
		tables = l.all(q.Tables[0].Database)
	}
	for _, t := range tables {
		d := l.table(right, t)
		d.Whole, d.Maybe = q.SQL && !held, held && !contains(names(q.Tables), t.String())
		d.Export = export
	}
}

// below is the question that q builds on, or nil.
func (l *demands) below(q *Question) *Question {
	if q.On == "" {
		return nil
	}
	below, err := l.c.Question(q.On)
	if err != nil {
		l.fail(err)
	}
	return below
}

// all are the tables of a database.
func (l *demands) all(database string) []Ref {
	var all []Ref
	for _, d := range l.c.Databases {
		for _, t := range d.Tables {
			if d.Name == database && !t.Absent {
				all = append(all, Ref{Depth: permission.OfTable, Database: d.Name, Schema: t.Schema, Table: t.Name})
			}
		}
	}
	return all
}

func names(refs []Ref) []string {
	var all []string
	for _, r := range refs {
		all = append(all, r.String())
	}
	return all
}

// asks is what asking the question's query anew needs.
func (l *demands) asks(q *Question) {
	for _, t := range q.Tables {
		if q.Native {
			l.database(permission.QueryNatively, t.Database)
		} else {
			l.table(permission.QueryTable, t)
		}
	}
}

// Question finds a saved question by its name.
func (c *Case) Question(name string) (*Question, error) {
	for i, q := range c.Questions {
		if q.Name == name {
			return &c.Questions[i], nil
		}
	}
	return nil, fmt.Errorf("there is no question %q", name)
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}
