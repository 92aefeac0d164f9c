package main

import (
	"fmt"

	"github.com/cedar-policy/cedar-go"
)

// cedarPolicies are three, whatever the size: cedar-go evaluates every policy
// of a set, so that the grants belong into attributes.
const cedarPolicies = `
permit (principal, action == Action::"query", resource) when { resource.groups.containsAny(principal.groups) };
permit (principal, action == Action::"query", resource) when { resource.schema.groups.containsAny(principal.groups) };
permit (principal, action == Action::"query", resource) when { resource.schema.database.groups.containsAny(principal.groups) };
`

func newCedar(w *world, lines []plain) (engine, error) {
	policies, err := cedar.NewPolicySetFromBytes("bench.cedar", []byte(cedarPolicies))
	if err != nil {
		return engine{}, err
	}
	groups := map[string][]cedar.Value{} // by object
	for _, l := range lines {
		groups[l.object()] = append(groups[l.object()], cedar.Long(l.group))
	}
	entities := cedar.EntityMap{}
	add := func(id cedar.EntityUID, attributes cedar.RecordMap) {
		entities[id] = cedar.Entity{UID: id, Attributes: cedar.NewRecord(attributes)}
	}
	object := func(kind, id string) cedar.EntityUID {
		return cedar.NewEntityUID(cedar.EntityType(kind), cedar.String(id))
	}
	for i, d := range w.databases {
		database := object("Database", databaseObject(i))
		add(database, cedar.RecordMap{"groups": cedar.NewSet(groups[databaseObject(i)]...)})
		for _, s := range d.schemas {
			schema := object("Schema", schemaObject(i, s.name))
			add(schema, cedar.RecordMap{"groups": cedar.NewSet(groups[schemaObject(i, s.name)]...), "database": database})
			for _, t := range s.tables {
				add(object("Table", tableObject(t)), cedar.RecordMap{"groups": cedar.NewSet(groups[tableObject(t)]...), "schema": schema})
			}
		}
	}
	people := make([]cedar.EntityUID, len(w.users))
	for u := range w.users {
		var in []cedar.Value
		for _, g := range w.users[u].groups {
			in = append(in, cedar.Long(g))
		}
		people[u] = object("Person", personSubject(int32(u)))
		add(people[u], cedar.RecordMap{"groups": cedar.NewSet(in...)})
	}
	tables := make([]cedar.EntityUID, len(w.tables))
	for t := range w.tables {
		tables[t] = object("Table", tableObject(idOf(int32(t))))
	}
	query := cedar.NewEntityUID("Action", "query")
	return engine{
		name: fmt.Sprintf("Cedar (cedar-go %s), three policies over attributes", version("github.com/cedar-policy/cedar-go")),
		allow: func(a asked) (bool, error) {
			decision, why := cedar.Authorize(policies, entities, cedar.Request{Principal: people[a.user], Action: query, Resource: tables[a.table]})
			if len(why.Errors) > 0 {
				return false, fmt.Errorf("cedar: %s", why.Errors[0])
			}
			return decision == cedar.Allow, nil
		},
		close: func() error { return nil },
	}, nil
}
