package permission_test

import (
	"slices"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
	"pgregory.net/rapid"
)

// TestTheDigestIsOfTheState: however a state was reached its digest is the
// same, and nothing is 0.
func TestTheDigestIsOfTheState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		s.mutate(t)
		d := permission.Digest(0).After(s.changes...)
		if straight := permission.Digest(0).After(permission.Diff(permission.New(s.graph.Catalog()), s.graph)...); straight != d {
			t.Fatalf("the digest of the state is %x, and reached by %v it is %x", straight, s.changes, d)
		}
		if back := d.After(inverses(s.changes)...); back != 0 {
			t.Fatalf("with everything undone it is %x", back)
		}
	})
}

// TestEveryPartOfTheStateIsInTheDigest: two states that differ in one thing
// have two digests, and a state that is stored keeps its own.
func TestEveryPartOfTheStateIsInTheDigest(t *testing.T) {
	cell := permission.Cell{Set: true, Level: permission.Unrestricted, Wide: true, At: 5}
	data := permission.SetDataAccess{Group: 3, Database: 1, Kind: permission.View, To: cell}
	inSchema, inTable, blocked, narrow, later, created := data, data, data, data, data, data
	inSchema.Scope, inTable.Scope = permission.WholeSchema("hr"), permission.OneTable(9)
	blocked.To.Level, narrow.To.Wide, later.To.At = permission.Blocked, false, 6
	created.Kind, created.To.Level = permission.Create, permission.QueryBuilder
	impersonated, byRole, byPost := data, data, data
	impersonated.To.Level, byRole.To.Level, byPost.To.Level = permission.Impersonated, permission.Impersonated, permission.Impersonated
	byRole.To.Attribute, byPost.To.Attribute = "role", "post"
	user := permission.User{ID: 2, Name: "ann@example.com", Active: true, Attributes: map[string]string{"org": "1", "team": "x"}}
	inactive, other := user, user
	inactive.Active, other.Attributes = false, map[string]string{"org": "1"}
	policy := func(w ...permission.AttributeEquality) permission.Change {
		return permission.SetSandbox{To: &permission.Sandbox{Group: 3, Table: 9, Policy: permission.Policy{Where: w}, At: 5}}
	}
	byCard := func(change func(*permission.Policy)) permission.Change {
		p := permission.Policy{Card: 3, Seal: "s", Columns: []permission.ColumnRule{{Field: 4}}, Variables: []permission.AttributeVariable{{Variable: "v", Attribute: "org"}}}
		change(&p)
		return permission.SetSandbox{To: &permission.Sandbox{Group: 3, Table: 9, Policy: p, At: 5}}
	}
	seen := map[permission.Digest]permission.Change{}
	all := []permission.Change{
		permission.SetGroup{To: &permission.Group{ID: 3, Name: "Analysts", Since: 5}},
		permission.SetGroup{To: &permission.Group{ID: 3, Name: "Analysts", Since: 5, Internal: true}},
		permission.SetUser{To: &user}, permission.SetUser{To: &inactive}, permission.SetUser{To: &other},
		permission.SetMembership{User: 2, Group: 3, To: true}, permission.SetMembership{User: 3, Group: 2, To: true},
		data, inSchema, inTable, blocked, narrow, later, created,
		permission.SetCollectionAccess{Group: 3, Collection: 7, To: permission.Cell{Set: true, Level: permission.Read, At: 5}},
		permission.SetCollectionAccess{Group: 3, Collection: 7, To: permission.Cell{Set: true, Level: permission.Write, At: 5}},
		policy(), policy(permission.AttributeEquality{Field: 4, Attribute: "org"}), policy(permission.AttributeEquality{Field: 5, Attribute: "org"}),
		permission.SetTableMark{Table: 9, To: permission.TableMark{Governed: true}}, permission.SetTableMark{Table: 9, To: permission.TableMark{Shared: true}},
		permission.SetStrict{Database: 1, To: true},
		permission.SetCollection{To: &permission.CollectionNode{ID: 7, Name: "Reports", Parent: 4}},
		permission.SetCollection{To: &permission.CollectionNode{ID: 7, Name: "Reports", Parent: 4, Owner: 2}},
	}
	for _, c := range append(slices.Clone(all), impersonated, byRole, byPost) {
		d := permission.Digest(0).After(c)
		if as := seen[d]; as != nil {
			t.Errorf("%s and %s have the digest %d", as, c, d)
		}
		seen[d] = c
	}
	for _, c := range []permission.Change{
		byCard(func(*permission.Policy) {}), byCard(func(p *permission.Policy) { p.Card, p.Seal, p.Variables = 0, "", nil }), byCard(func(p *permission.Policy) { p.Card = 4 }),
		byCard(func(p *permission.Policy) { p.Seal = "t" }), byCard(func(p *permission.Policy) { p.Variables = nil }),
		byCard(func(p *permission.Policy) { p.Variables[0].Variable = "w" }), byCard(func(p *permission.Policy) { p.Variables[0].Attribute = "team" }),
	} {
		d := permission.Digest(0).After(c)
		if as := seen[d]; as != nil {
			t.Errorf("%s and %s have the digest %d", as, c, d)
		}
		seen[d] = c
	}
	const stored permission.Digest = -3914500866767049356
	if sum := permission.Digest(0).After(all...); sum != stored {
		t.Errorf("the digest of what is stored was %d and is %d", stored, sum)
	}
}
