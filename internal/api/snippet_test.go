package api

import (
	"fmt"
	"testing"
)

// withSnippet is a native question with a snippet in it, as clients send it; id
// 0 is not told.
func (s settled) withSnippet(text, name string, id int64) fields {
	tag := fields{"type": "snippet", "name": "snippet: " + name, "display-name": "Snippet: " + name, "snippet-name": name}
	if id != 0 {
		tag["snippet-id"] = id
	}
	q := s.sql(text)
	q["native"].(fields)["template-tags"] = fields{"snippet: " + name: tag}
	return q
}

// Reference 2.8: whoever may write SQL somewhere reads and writes snippets.
func TestSnippetsAreForThoseWhoWriteSQL(t *testing.T) {
	s := settledWorld(t)
	const all = "/api/native-query-snippet"
	one := path("%s/%d", all, s.Snippet)
	body := fields{"name": "Dear", "content": "price > 100"}
	for _, who := range []caller{s.member(), s.outsider()} {
		who.get(all).listsExactly()
		for _, r := range []reply{who.get(one), who.put(one, body), who.post(all, body), who.get(path("%s/9999", all)), who.put(path("%s/9999", all), body)} {
			r.forbidden()
		}
	}
	s.admin().get(path("%s/9999", all)).want(404)
	s.admin().get(one).keeps(fields{"name": "Cheap", "content": "price < 50"})

	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	s.member().get(all).listsExactly("Cheap")
	made := s.member().post(all, fields{"name": "Dear", "content": "price > 100", "description": "much", "collection_id": nil})
	made.keeps(fields{"name": "Dear", "content": "price > 100", "description": "much", "archived": false, "collection_id": nil, "creator_id": s.Member})
	hasKinds(t, "snippet", made.object(), map[string]string{"id": "int", "entity_id": "string", "creator": "object", "created_at": "string", "updated_at": "string"})
	at := path("%s/%d", all, made.id())
	s.member().put(at, fields{"content": "price > 200", "description": nil, "name": nil}).keeps(fields{"name": "Dear", "content": "price > 200", "description": nil})
	s.member().put(at, fields{"name": "DEAR"}).keeps(fields{"name": "DEAR"})
	s.member().put(at, fields{"archived": true}).keeps(fields{"archived": true})
	s.member().get(all).listsExactly("Cheap")
	s.member().get(all + "?archived=true").listsExactly("DEAR")
	s.member().put(at, fields{"archived": false}).want(200)
	s.member().get(all).listsExactly("Cheap", "DEAR")

	const taken = "A snippet with that name already exists. Please pick a different name."
	s.member().post(all, fields{"name": "chEAp", "content": "1"}).wrong("name", taken)
	s.member().put(at, fields{"name": "cheap"}).wrong("name", taken)
	for _, name := range []string{"a}b", " a", "a "} {
		s.member().post(all, fields{"name": name, "content": "1"}).wrong("name", "The name of a snippet is not blank, has no } in it, and neither begins nor ends with a space.")
	}
	s.member().post(all, fields{"name": "x", "content": "1", "collection_id": s.Collection}).wrong("collection_id", "There are no folders of snippets; leave it out.")
	s.member().put(at, fields{"collection_id": 1}).want(400)
	s.member().post(all, fields{"name": "x"}).wrong("content", "value must be a string.")
	s.data(nothing)
	s.member().get(at).forbidden()
}

func TestAQuestionGoesOnWithARenamedAndArchivedSnippet(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/native-query-snippet/%d", s.Snippet)
	outer := s.admin().post("/api/native-query-snippet", fields{"name": "Both", "content": "{{ snippet: cheap }} and id > 0"}).id()
	count := func(r reply) any {
		return r.want(202).ended("completed").object()["data"].(fields)["rows"].([]any)[0].([]any)[0]
	}
	known := s.admin().post("/api/card", s.newCard(0, s.withSnippet("select count(*) from products where {{snippet: Cheap}}", "Cheap", s.Snippet))).id()
	nested := s.admin().post("/api/card", s.newCard(0, s.withSnippet("select count(*) from products where {{snippet: Both}}", "Both", outer))).id()
	run := func(id int64) any { return count(s.admin().post(path("/api/card/%d/query", id), nil)) }
	want := count(s.admin().post("/api/dataset", s.sql("select count(*) from products where price < 50")))
	if want == 0.0 || run(known) != want || run(nested) != want {
		t.Fatalf("%v products, by snippet %v and %v", want, run(known), run(nested))
	}
	s.admin().put(at, fields{"name": "Good value", "archived": true}).want(200)
	if run(known) != want || run(nested) != want {
		t.Errorf("after another name %v and %v, before %v", run(known), run(nested), want)
	}
	s.admin().get(path("/api/native-query-snippet/%d", outer)).keeps(fields{"content": "{{snippet: Good value}} and id > 0"})
	// Its text is that of now.
	s.admin().put(at, fields{"content": "price < 0"}).want(200)
	if run(known) != 0.0 || run(nested) != 0.0 {
		t.Errorf("with another text %v and %v", run(known), run(nested))
	}
}

// A10: what stands in a snippet reads what the reader of the question may read,
// whoever wrote it and whenever.
func TestASnippetReadsNoMoreThanItsReader(t *testing.T) {
	s := settledWorld(t)
	at := path("/api/native-query-snippet/%d", s.Snippet)
	card := s.admin().post("/api/card", s.newCard(s.Collection, s.withSnippet("select count(*) from products where {{snippet: Cheap}}", "Cheap", s.Snippet))).id()
	run := path("/api/card/%d/query", card)
	s.data(fields{"view-data": fields{"": fields{fmt.Sprint(s.tableNamed("products")): "unrestricted", fmt.Sprint(s.tableNamed("people")): "blocked"}}})
	s.member().post(run, nil).want(202).ended("completed")
	for _, text := range []string{
		"price < (select count(*) from people)",
		path("id in (select id from {{#%d}} as x)", s.ClosedCard),
	} {
		s.admin().put(at, fields{"content": text}).want(200)
		s.admin().post(run, nil).want(202).ended("completed")
		s.member().post(run, nil).want(202).ended("failed").leaks("people", "Board")
	}
	// Nor does a snippet let somebody write SQL.
	s.admin().put(at, fields{"content": "price < 50"}).want(200)
	s.member().post("/api/dataset", s.withSnippet("select count(*) from products where {{snippet: Cheap}}", "Cheap", s.Snippet)).want(202).ended("failed")
	s.member().post("/api/card", s.newCard(s.Collection, s.withSnippet("select 1 where {{snippet: Cheap}}", "Cheap", s.Snippet))).unsavable()
	// One that is not there is answered like one of which nothing is told.
	none := s.withSnippet("select 1 where {{snippet: Cheap}}", "Cheap", 9999)
	if r := s.admin().post("/api/dataset", none).want(202).ended("failed").object(); r["error"] != `native.query: snippet "Cheap": not found or no access` {
		t.Errorf("a snippet that is not there: %v", r["error"])
	}
}

// The text of a snippet is part of every saved question that names it, and
// those run for readers who could not ask it: it is written by who may write
// SQL where they run.
func TestASnippetIsWrittenByWhoMayWriteTheSQLThatItStandsIn(t *testing.T) {
	s := settledWorld(t)
	const all = "/api/native-query-snippet"
	s.data(fields{"view-data": "unrestricted", "create-queries": "query-builder-and-native"})
	second := s.admin().post("/api/database", fields{"name": "Again", "engine": "sqlite", "details": fields{"db": s.Warehouse}}).id()
	make := func(name, content string) string {
		t.Helper()
		return path("%s/%d", all, s.admin().post(all, fields{"name": name, "content": content}).id())
	}
	const hostile = "1=0 union all select email from people"
	inner, outer, free := make("Inner", "1=1"), make("Outer", "{{snippet: inner}}"), make("Free", "1=1")
	there := func(text, name string, id int64) int64 {
		t.Helper()
		q := s.withSnippet(text, name, id)
		q["database"] = second
		return s.admin().post("/api/card", s.newCard(s.Collection, q)).id()
	}
	card := there("select title from products where {{snippet: Cheap}}", "Cheap", s.Snippet)
	nested := there("select title from products where {{snippet: Outer}}", "Outer", 0)
	gone := make("Later", "1=1")
	there("select title from products where {{snippet: later}}", "later", 0)
	s.admin().put(gone, fields{"name": "Sooner"}).want(200) // now it names none
	s.admin().put(path("/api/card/%d", nested), fields{"archived": true}).want(200)
	run := path("/api/card/%d/query", card)
	s.member().post(run, nil).want(202).ended("completed").leaks("@")

	cheap := path("%s/%d", all, s.Snippet)
	for _, r := range []reply{
		s.member().put(cheap, fields{"content": hostile}),
		s.member().put(cheap, fields{"name": "Other"}),
		s.member().put(inner, fields{"content": hostile}),
		s.member().put(outer, fields{"content": hostile}),
		s.member().put(free, fields{"name": "LATER"}),
		s.member().post(all, fields{"name": "Later", "content": hostile}),
	} {
		r.forbidden()
	}
	s.member().post(run, nil).want(202).ended("completed").leaks("@")
	s.member().put(cheap, fields{"description": "half of them", "archived": true}).keeps(fields{"content": "price < 50"})
	s.member().put(free, fields{"name": "Freely", "content": "1=2"}).want(200)
	// On the database that they write SQL on it is theirs to change.
	own := make("Own", "1=1")
	s.admin().post("/api/card", s.newCard(s.Collection, s.withSnippet("select title from products where {{snippet: Own}}", "Own", 0)))
	s.member().put(own, fields{"content": "1=2"}).want(200)
	// With the database go the questions that could run there.
	s.admin().put(inner, fields{"content": "2=2"}).want(200)
	s.admin().delete(path("/api/database/%d", second)).want(204)
	s.member().put(cheap, fields{"content": "price < 20"}).want(200)
}
