package api

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

type patchBody struct {
	Changes []patchChange `json:"changes" rule:"required"`
}

// patchChange is one edit of the data graph. Without schema and table it is
// about the whole database. strict, governed and shared are of no group.
type patchChange struct {
	Op          string      `json:"op"` // set (default), grant, sandbox, policy, impersonation, revoke, strict, governed, shared
	Group       ID          `json:"group_id"`
	Database    ID          `json:"database_id" rule:"required,positive"`
	Schema      Opt[string] `json:"schema"`
	Table       Opt[ID]     `json:"table_id"`
	Kind        string      `json:"kind"`      // view-data, ...; for set and revoke
	Level       Opt[string] `json:"level"`     // null is none; for set
	On          Opt[bool]   `json:"on"`        // for strict, governed, shared; true if not given
	Attribute   Opt[string] `json:"attribute"` // for impersonation
	policyParts             // for policy, in place of the one that may be there
}

var patchOps = map[string]permission.Op{"": permission.OpSet, "set": permission.OpSet, "grant": permission.OpGrant, "sandbox": permission.OpSandbox, "policy": permission.OpPolicy, "impersonation": permission.OpImpersonate, "revoke": permission.OpRevoke,
	"strict": permission.OpStrict, "governed": permission.OpGovern, "shared": permission.OpShare}

func (c patchChange) edit() (permission.Edit, error) {
	e := permission.Edit{Group: permission.GroupID(c.Group), Database: catalog.DatabaseID(c.Database)}
	var ok bool
	if e.Op, ok = patchOps[c.Op]; !ok {
		return e, fmt.Errorf("op: %q is no operation; it is one of set, grant, sandbox, policy, impersonation, revoke, strict, governed, shared", c.Op)
	}
	e.On = c.On.Value || !c.On.Set || c.On.Null
	if t, ok := c.Table.Get(); ok {
		e.Scope = permission.OneTable(catalog.TableID(t))
	} else if s, ok := c.Schema.Get(); ok {
		e.Scope = permission.WholeSchema(s)
	}
	switch ofTable := e.Scope.Depth == permission.OfTable; e.Op {
	case permission.OpStrict:
		return e, nil
	case permission.OpGovern, permission.OpShare:
		if !ofTable {
			return e, fmt.Errorf("table_id: %s is said of one table", c.Op)
		}
		return e, nil
	}
	if c.Group <= 0 {
		return e, errors.New("group_id: name the group")
	}
	if (e.Op == permission.OpSandbox || e.Op == permission.OpPolicy) && e.Scope.Depth != permission.OfTable {
		return e, fmt.Errorf("table_id: a %s is for one table", c.Op)
	}
	if e.Op == permission.OpGrant || e.Op == permission.OpSandbox || e.Op == permission.OpPolicy {
		return e, nil
	}
	var err error
	if e.Op == permission.OpImpersonate {
		if e.Scope.Depth != permission.OfDatabase {
			return e, errors.New("table_id: an impersonation is for a whole database")
		}
		if e.Attribute, err = attributeOf(c.Attribute); err != nil {
			err = fmt.Errorf("attribute: %w", err)
		}
		return e, err
	}
	if e.Kind, err = permission.ParseKind(c.Kind); err != nil || e.Kind == permission.Collection {
		return e, fmt.Errorf("kind: %q is not a kind of the data graph; it is one of view-data, create-queries, download, data-model, details", c.Kind)
	}
	if word, ok := c.Level.Get(); ok && e.Op == permission.OpSet {
		if e.Level, err = e.Kind.Parse(word); err != nil {
			return e, fmt.Errorf("level: %w", err)
		}
	}
	return e, nil
}

func (a *API) patchGraph(r *request) (any, error) {
	var edits []permission.Edit
	for i, c := range bodyOf[patchBody](r).Changes {
		e, err := c.edit()
		if err != nil {
			return nil, graphError(changePath(i), "%v", err)
		}
		edits = append(edits, e)
	}
	match := strings.Trim(strings.TrimPrefix(strings.TrimSpace(r.http.Header.Get("If-Match")), "W/"), `"`)
	var revision Opt[ID]
	if n, err := strconv.ParseInt(match, 10, 64); err == nil {
		revision = Opt[ID]{Set: true, Value: ID(n)}
	} else if match != "*" {
		return nil, message{http.StatusPreconditionRequired, "Send If-Match with the revision that you read, or * for whatever it is now."}
	}
	force := match == "*"
	base, err := a.dataBase(r, revision, force, a.store.Graph())
	if err != nil {
		return nil, err
	}
	tried := standIns{}
	for i, e := range edits {
		if e.Op != permission.OpPolicy {
			continue
		}
		if err := a.try(r, tried, bodyOf[patchBody](r).Changes[i].policyParts, policyOf(a.store.Graph(), e.Group, e.Scope.Table)); err != nil {
			return nil, atPath(changePath(i), err)
		}
	}
	g, warnings, err := a.changeGraph(r, base, force, func(current *permission.Graph) ([]permission.Edit, error) {
		return withPolicies(current, edits, bodyOf[patchBody](r).Changes, tried)
	})
	if err != nil {
		return nil, err
	}
	var ids []permission.GroupID
	var policies []policyKey
	for _, e := range edits {
		ids = append(ids, e.Group)
		if key := (policyKey{e.Group, e.Scope.Table}); e.Op == permission.OpPolicy && !slices.Contains(policies, key) {
			policies = append(policies, key)
		}
	}
	echo, more, err := a.policies(r, g, policies)
	if err != nil {
		return nil, err
	}
	slices.Sort(ids)
	roles, about := impersonations(g, impersonated(edits))
	answer := graphAnswer{Revision: int64(g.Revision()), Mode: "partial", Sandboxes: echo, Impersonations: roles, Warnings: slices.Concat(warnings, more, about)}
	return answer.groups(g, both, slices.Compact(ids)...), nil
}

// withPolicies reads the policies of edits over the present ones, and columns.
func withPolicies(current *permission.Graph, edits []permission.Edit, of []patchChange, tried standIns) ([]permission.Edit, error) {
	edits = slices.Clone(edits)
	made := map[policyKey]*permission.Policy{}
	for i, e := range edits {
		if e.Op != permission.OpPolicy {
			continue
		}
		key := policyKey{e.Group, e.Scope.Table}
		was := policyOf(current, e.Group, e.Scope.Table)
		if before := made[key]; before != nil {
			was = *before
		}
		is, err := of[i].policyParts.edit(current, e.Group, e.Scope.Table, was, tried)
		if err != nil {
			return nil, atPath(changePath(i), err)
		}
		edits[i].Policy, made[key] = is.Policy, is.Policy // the database is as it was sent: it is compared
	}
	return edits, nil
}

func changePath(i int) string { return fmt.Sprintf("changes[%d]", i) }
