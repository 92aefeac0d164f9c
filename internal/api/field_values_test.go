package api

import (
	"fmt"
	"testing"
)

func TestValuesOfFieldsAreFoundAndCounted(t *testing.T) {
	s := settledWorld(t)
	id, title, key := s.fieldNamed("products", "id"), s.fieldNamed("products", "title"), s.fieldNamed("orders", "product_id")
	rows := func(r reply) [][]any {
		t.Helper()
		var v [][]any
		r.want(200).into(&v)
		return v
	}
	all := rows(s.member().get(path("/api/field/%d/search/%d", id, title)))
	if len(all) != 108 || len(all[0]) != 2 {
		t.Fatalf("%d products, %v", len(all), all[0])
	}
	word := all[0][1].(string)
	for _, field := range []any{id, key} { // a foreign key is looked for where it points to
		found := rows(s.member().get(path("/api/field/%d/search/%d?value=%s", field, title, word[1:4])))
		if len(found) == 0 || len(found) == len(all) || fmt.Sprint(found[0]) == "" {
			t.Errorf("%v: %v", field, found)
		}
		if got := s.member().get(path("/api/field/%d/remapping/%d?value=%v", field, title, all[0][0])); string(got.want(200).body) != string(jsonOf(t, all[0]))+"\n" {
			t.Errorf("%v: %s, want %v", field, got.body, all[0])
		}
	}
	if alone := rows(s.member().get(path("/api/field/%d/search/%d?value=%s&limit=1", title, title, word[1:4]))); len(alone) != 1 || len(alone[0]) != 1 {
		t.Errorf("%v", alone)
	}
	s.member().get(path("/api/field/%d/remapping/%d?value=987654", id, title)).text(204, "")
	s.member().get(path("/api/field/%d/search/%d", id, s.fieldNamed("people", "email"))).want(400)
	s.member().get(path("/api/field/%d/search/99999", id)).forbidden()
	s.outsider().get(path("/api/field/%d/search/%d", id, title)).forbidden()
	if got := rows(s.member().get(path("/api/field/%d/summary", key))); fmt.Sprint(got) != "[[count 20000] [distincts 108]]" {
		t.Errorf("summary %v", got)
	}
}

func TestAFieldShowsWordsOrAnotherFieldInPlaceOfItsValues(t *testing.T) {
	s := settledWorld(t)
	id := s.fieldNamed("products", "id")
	field := path("/api/field/%d", id)
	s.admin().post(field+"/values", fields{"values": []any{[]any{1, "One"}, []any{2, "Two"}, []any{987654, "A value that is not there"}}}).keeps(fields{"status": "success"})
	var values fieldValuesWire
	s.member().get(field + "/values").want(200).into(&values)
	if len(values.Values) != 108 || len(values.Values[0]) != 1 {
		t.Errorf("without a dimension: %v", values.Values[0])
	}
	made := s.admin().post(field+"/dimension", fields{"type": "internal", "name": "In words"}).want(200).object()
	hasKinds(t, "dimension", made, map[string]string{"id": "int", "field_id": "int", "type": "string", "name": "string", "human_readable_field_id": "null", "entity_id": "string"})
	values = fieldValuesWire{}
	s.member().get(field + "/values").want(200).into(&values)
	if len(values.Values) != 108 || fmt.Sprint(values.Values[:3]) != "[[1 One] [2 Two] [3]]" {
		t.Errorf("%v", values.Values[:3])
	}
	if got := s.member().get(field).object()["dimensions"].([]any); len(got) != 1 || got[0].(map[string]any)["name"] != "In words" {
		t.Errorf("%v", got)
	}
	for _, wrong := range []any{"x", []any{1}, []any{[]any{}}, []any{[]any{1, 2}}, []any{[]any{1, "a", "b"}}} {
		s.admin().post(field+"/values", fields{"values": wrong}).want(400)
	}
	s.admin().delete(field+"/dimension").text(204, "")
	if got := s.member().get(field).object()["dimensions"].([]any); len(got) != 0 {
		t.Errorf("%v", got)
	}

	// Another field, for those who may see it.
	key, title := path("/api/field/%d", s.fieldNamed("orders", "product_id")), s.fieldNamed("products", "title")
	external := fields{"type": "external", "name": "Product", "human_readable_field_id": title}
	s.admin().post(key+"/dimension", external).keeps(fields{"human_readable_field_id": title})
	s.admin().post(key+"/dimension", fields{"type": "external", "name": "x", "human_readable_field_id": s.fieldNamed("people", "email")}).want(400)
	s.admin().post(key+"/dimension", fields{"type": "external", "name": "x"}).want(400)
	s.admin().post(key+"/dimension", fields{"type": "other", "name": "x"}).want(400)
	s.admin().post(key+"/dimension", fields{"type": "external", "name": "x", "human_readable_field_id": 99999}).want(404)
	s.member().post(key+"/dimension", external).forbidden()
	unsaved := fields{"parameter": fields{"id": "x", "type": "id"}, "field_ids": []any{s.fieldNamed("orders", "product_id")}}
	var chosen choicesWire
	s.member().post("/api/dataset/parameter/values", unsaved).want(200).into(&chosen)
	if len(chosen.Values) != 108 || len(chosen.Values[0]) != 2 {
		t.Errorf("%v", chosen.Values[0])
	}
	orders := path("%d", s.tableNamed("orders"))
	s.data(nothing)
	s.data(fields{"view-data": fields{"": fields{orders: "unrestricted"}}, "create-queries": fields{"": fields{orders: "query-builder"}}})
	chosen = choicesWire{}
	s.member().post("/api/dataset/parameter/values", unsaved).want(200).into(&chosen)
	if len(chosen.Values) != 108 || len(chosen.Values[0]) != 1 {
		t.Errorf("without the products: %v", chosen.Values[0])
	}
	if got := s.member().get(key).object()["dimensions"].([]any); len(got) != 0 {
		t.Errorf("the dimension shows a hidden field: %v", got)
	}
}
