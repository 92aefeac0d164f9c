package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// lawBuilder fills one of the servers.
type lawBuilder struct {
	settled
	world int
	site  lawSite
}

func (b *lawBuilder) build(engine string, details map[string]any) (lawSite, []catalog.TableID) {
	b.site = lawSite{tables: map[string]catalog.TableID{}, fields: map[string]catalog.FieldID{}, groups: map[string]permission.GroupID{"All Users": permission.AllUsers},
		people: map[string]permission.UserID{}, sessions: map[string]string{}, collections: map[string]permission.CollectionID{}, cards: map[string]int64{}, dashboards: map[string]int64{}}
	b.site.database = catalog.DatabaseID(b.admin().post("/api/database", fields{"name": "Law", "engine": engine, "details": details}).id())
	extra := b.readCatalog()
	b.readers()
	b.contents()
	b.leftovers(details, engine)
	return b.site, extra
}

func (b *lawBuilder) readCatalog() (extra []catalog.TableID) {
	all := b.store.Graph().Catalog()
	for tb := range all.Tables(b.site.database) {
		hidden := slices.IndexFunc(hiddenTables[b.world], func(h string) bool { return strings.HasPrefix(h, tb.Name+" ") })
		switch {
		case hidden < 0:
			b.site.tables[tb.Name] = tb.ID
			for _, f := range all.Fields(tb.ID) {
				name := tb.Name + "." + f.Name
				if name == "visits.wage" || name == "visits.mood" {
					name = "visits.hidden"
				}
				b.site.fields[name] = f.ID
			}
		case hidden < 3:
			if hidden == 1 {
				b.site.blocked = all.Fields(tb.ID)[0].ID
			}
			b.site.hidden = append(b.site.hidden, tb.ID)
		default:
			extra = append(extra, tb.ID)
		}
		for _, f := range all.Fields(tb.ID) {
			b.site.lastField = max(b.site.lastField, f.ID)
		}
		if hidden >= 0 { // what is written about a hidden table is hidden, too
			word := secretWords[b.world][hidden]
			b.admin().put(path("/api/table/%d", tb.ID), fields{"display_name": word + " as told", "description": "of " + word}).want(200)
		}
	}
	return extra
}

// readers makes the people. What their groups have is decided in each test;
// zoe, whom nobody tests, has everything.
func (b *lawBuilder) readers() {
	group := func(name string) permission.GroupID {
		id := permission.GroupID(b.admin().post("/api/permissions/group", fields{"name": name}).id())
		b.site.groups[name] = id
		return id
	}
	readers, writers, guests, board := group("Readers"), group("Writers"), group("Guests"), group("Directors")
	person := func(name string, attributes fields, groups ...permission.GroupID) {
		email := name + "@example.com"
		b.site.people[name] = permission.UserID(b.admin().post("/api/user", fields{"email": email, "password": testPassword, "group_ids": groups, "login_attributes": attributes}).id())
		var in sessionWire
		b.nobody().post("/api/session", fields{"username": email, "password": testPassword}).want(200).into(&in)
		b.site.sessions[name] = in.ID
	}
	person("ann", fields{"account": "1"}, readers)
	person("bea", fields{"account": "1"}, readers, writers)
	person("cid", fields{})
	person("dov", fields{}, guests)
	person("zoe", fields{}, board)
	b.admin().put("/api/permissions/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(board): fields{fmt.Sprint(b.site.database): fields{
		"view-data": "unrestricted", "create-queries": "query-builder-and-native", "download": fields{"schemas": "full"}}}}}).want(200)
}

// secret is the word of this world.
func (b *lawBuilder) secret(first, second string) string { return []string{first, second}[b.world] }

// contents saves questions and dashboards. What lies in closed collections
// differs between the worlds.
func (b *lawBuilder) contents() {
	for _, c := range []struct{ key, name, in string }{
		{"open", "Open", ""}, {"shared", "Shared", ""}, {"closed", b.secret("Layoffs plan", "Garden club"), ""}, {"inner", b.secret("Takeovers", "Hedges"), "open"}, {"below", "Below", "inner"},
	} {
		b.site.collections[c.key] = permission.CollectionID(b.newCollection(c.name, int64(b.site.collections[c.in])))
	}
	board := b.site.groups["Directors"]
	for _, c := range b.site.collections {
		b.admin().put("/api/collection/graph", fields{"force": true, "revision": 0, "groups": fields{fmt.Sprint(board): fields{fmt.Sprint(c): "read"}}}).want(200)
	}
	f := func(name string, options any) []any { return []any{"field", b.site.fields[name], options} }
	on := func(source any, more fields) fields {
		q := fields{"source-table": source}
		for k, v := range more {
			q[k] = v
		}
		return fields{"database": b.site.database, "type": "query", "query": q}
	}
	count := fields{"aggregation": []any{[]any{"count"}}}
	raw := func(text string, tags fields) fields {
		return fields{"database": b.site.database, "type": "native", "native": fields{"query": text, "template-tags": tags}}
	}
	source := func(name string) string { return fmt.Sprint("card__", b.site.cards[name]) }
	tb := func(name string) catalog.TableID { return b.site.tables[name] }
	hidden := func(i int) catalog.TableID { return b.site.hidden[i] }
	save := func(key, name, in string, question fields, more ...fields) {
		body := b.newCard(int64(b.site.collections[in]), question, append([]fields{{"name": name}}, more...)...)
		b.site.cards[key] = b.admin().post("/api/card", body).id()
	}
	other := []fields{on(hidden(0), nil), on(tb("goods"), count)}[b.world]
	save("plan", b.secret("Who goes", "What grows"), "closed", other, fields{"description": b.secret("by March", "in spring")})
	save("below", b.secret("Salaries", "Trees"), "below", raw("select count(*) from "+b.secret("w_payroll", "y_trees"), nil))
	save("accounts", "Accounts", "open", on(tb("accounts"), nil))
	save("by region", "By region", "open", on(tb("accounts"), fields{"aggregation": count["aggregation"], "breakout": []any{f("accounts.region", nil)}}))
	save("visits", "Visits", "shared", on(tb("visits"), fields{"breakout": []any{f("accounts.name", fields{"source-field": b.site.fields["visits.account_id"]})}, "aggregation": []any{[]any{"sum", f("visits.minutes", nil)}}}))
	save("model", "Account model", "open", on(tb("accounts"), nil), fields{"type": "model"})
	save("metric", "Minutes", "open", on(tb("visits"), fields{"aggregation": []any{[]any{"sum", f("visits.minutes", nil)}}}), fields{"type": "metric"})
	save("all visits", "All visits", "shared", on(tb("visits"), nil))
	save("hidden column", "Hidden column", "open", on(tb("visits"), fields{"aggregation": []any{[]any{"max", f("visits.hidden", nil)}}}))
	save("over hidden column", "Over a hidden column", "open", on(source("all visits"), fields{"filter": []any{"not-null", f("visits.hidden", nil)}}))
	save("over", "Over accounts", "shared", on(source("accounts"), count))
	save("over plan", "Over the plan", "open", on(source("plan"), count))
	save("blocked", "Blocked", "open", on(hidden(1), count))
	save("governed", "Governed", "shared", on(hidden(2), nil))
	save("joined", "Joined", "open", on(tb("accounts"), fields{"joins": []any{fields{"source-table": hidden(1), "alias": "x", "fields": "all",
		"condition": []any{"=", f("accounts.id", nil), []any{"field", b.site.blocked, fields{"join-alias": "x"}}}}}}))
	// What stands in for the visits shows the same in both, by other questions.
	early := [][]any{{"<", f("visits.id", nil), 4}, {"and", []any{"not-null", f("visits.id", nil)}, []any{"<=", f("visits.id", nil), 3}}}[b.world]
	var shown []any
	for _, name := range standingIn {
		shown = append(shown, f("visits."+name, nil))
	}
	save("stands in", b.secret("Layoffs plan", "Garden club"), "closed", on(tb("visits"), fields{"fields": shown, "filter": early}))
	save("sql", "SQL", "open", raw("select count(*) from goods", nil))
	save("sql of the plan", "SQL of the plan", "open", raw(fmt.Sprintf("select * from {{#%d}} as x", b.site.cards["plan"]), nil))
	tag := fields{"region": fields{"name": "region", "display-name": "Region", "type": "dimension", "dimension": f("accounts.region", nil), "widget-type": "string/="}}
	save("sql with a filter", "SQL with a filter", "shared", raw("select id, name from accounts where {{region}} order by id", tag))
	// Each of these tables is there in one world, in none or in both.
	for _, text := range []string{"select reason from x_layoffs", "select seen from x_birds", "select id from z_nothing", "select no_such from x_layoffs", "select id from x_birds where", "select name from sqlite_master", "select table_name from information_schema.tables"} {
		save(text, "SQL on what may be hidden", "open", raw(text, nil))
	}

	filter := fields{"id": "r", "name": "Region", "slug": "region", "type": "string/="}
	mapped := func(key string) []any {
		return []any{fields{"parameter_id": "r", "card_id": b.site.cards[key], "target": []any{"dimension", f("accounts.region", nil)}}}
	}
	dashboard := func(key, name, in string, cards ...fields) {
		id := b.admin().post("/api/dashboard", fields{"name": name, "collection_id": b.site.collections[in], "parameters": []any{filter}}).id()
		b.site.dashboards[key] = id
		for i, c := range cards {
			c["id"], c["row"], c["col"], c["size_x"], c["size_y"] = -1-i, i, 0, 4, 4
		}
		b.admin().put(path("/api/dashboard/%d", id), fields{"dashcards": cards}).want(200)
		var d struct{ Dashcards []struct{ ID int64 } }
		b.admin().get(path("/api/dashboard/%d", id)).want(200).into(&d)
		for _, dc := range d.Dashcards {
			b.site.dashcards = append(b.site.dashcards, dc.ID)
		}
	}
	card := func(key string, more ...fields) fields {
		c := fields{"card_id": b.site.cards[key]}
		for _, m := range more {
			for k, v := range m {
				c[k] = v
			}
		}
		return c
	}
	titled := fields{"visualization_settings": fields{"card.title": b.secret("Leavers", "Leaves")}}
	dashboard("front", "Front", "open", card("accounts", fields{"parameter_mappings": mapped("accounts")}), card("plan", titled), card("visits", fields{"series": []any{fields{"id": b.site.cards["plan"]}}}),
		card("blocked"), card("below", titled), card("sql with a filter"))
	dashboard("back", b.secret("Who goes where", "What grows where"), "closed", card("plan"), card("accounts"))
}

// leftovers are there in the first world and gone in the second; and zoe has
// asked everything, so that whatever is kept of answers is kept.
func (b *lawBuilder) leftovers(details map[string]any, engine string) {
	plan := int64(b.site.collections["closed"])
	doomed := b.newCollection("Doomed", plan)
	card := b.admin().post("/api/card", b.newCard(doomed, fields{"database": b.site.database, "type": "query", "query": fields{"source-table": b.site.hidden[0]}}, fields{"name": "Doomed"})).id()
	dashboard := b.admin().post("/api/dashboard", fields{"name": "Doomed", "collection_id": doomed}).id()
	database := b.admin().post("/api/database", fields{"name": "Doomed", "engine": engine, "details": details}).id()
	if b.world == 1 {
		b.admin().delete(path("/api/card/%d", card)).want(204)
		b.admin().delete(path("/api/dashboard/%d", dashboard)).want(204)
		b.admin().delete(path("/api/database/%d", database)).want(204)
		b.admin().put(path("/api/collection/%d", doomed), fields{"archived": true}).want(200)
		b.admin().delete(path("/api/collection/%d", doomed)).want(204)
	}
	zoe := b.with(b.site.sessions["zoe"])
	for _, id := range b.site.cards {
		zoe.post(path("/api/card/%d/query", id), nil)
	}
	for f := range b.site.lastField {
		zoe.get(path("/api/field/%d/values", f+1))
	}
}
