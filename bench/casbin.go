package main

import (
	"fmt"

	"github.com/casbin/casbin/v3"
	"github.com/casbin/casbin/v3/model"
	defaultrolemanager "github.com/casbin/casbin/v3/rbac/default-role-manager"
)

// casbinModel is role-based access with roles of resources: a table is in its
// schema, and that in its database.
const casbinModel = `
[request_definition]
r = sub, obj
[policy_definition]
p = sub, obj
[role_definition]
g = _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g2(r.obj, p.obj) && g(r.sub, p.sub)
`

// newCasbin makes an enforcer for each database, since one loops over all
// its policies for each check; they share who is in which group.
func newCasbin(w *world, lines []plain) (engine, error) {
	members := defaultrolemanager.NewRoleManagerImpl(10)
	people := make([]string, len(w.users))
	for u := range w.users {
		people[u] = personSubject(int32(u))
		for _, g := range w.users[u].groups {
			if err := members.AddLink(people[u], groupSubject(g)); err != nil {
				return engine{}, err
			}
		}
	}
	byDatabase := make([][]plain, len(w.databases))
	for _, l := range lines {
		byDatabase[l.database] = append(byDatabase[l.database], l)
	}
	enforcers := make([]*casbin.Enforcer, len(w.databases))
	for i, d := range w.databases {
		m, err := model.NewModelFromString(casbinModel)
		if err != nil {
			return engine{}, err
		}
		e, err := casbin.NewEnforcer(m)
		if err != nil {
			return engine{}, err
		}
		for _, l := range byDatabase[i] {
			if err := m.AddPolicy("p", "p", []string{groupSubject(l.group), l.object()}); err != nil {
				return engine{}, err
			}
		}
		m["g"]["g"].RM = members
		for _, s := range d.schemas {
			if err := m["g"]["g2"].RM.AddLink(schemaObject(i, s.name), databaseObject(i)); err != nil {
				return engine{}, err
			}
			for _, t := range s.tables {
				if err := m["g"]["g2"].RM.AddLink(tableObject(t), schemaObject(i, s.name)); err != nil {
					return engine{}, err
				}
			}
		}
		enforcers[i] = e
	}
	return engine{
		name: fmt.Sprintf("Casbin (%s), one enforcer a database", version("github.com/casbin/casbin/v3")),
		allow: func(a asked) (bool, error) {
			return enforcers[w.tables[a.table].database].Enforce(people[a.user], tableObject(idOf(a.table)))
		},
		close: func() error { return nil },
	}, nil
}
