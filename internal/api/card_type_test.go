package api

import "testing"

// A question, a model and a metric are one thing that can become another, where
// its question can.
func TestAQuestionBecomesAModelOrAMetricThatItCanBe(t *testing.T) {
	s := settledWorld(t)
	products := s.tableNamed("products")
	count := []any{[]any{"count"}}
	list, counted := s.question(products), s.question(products, fields{"aggregation": count})
	twice := s.question(products, fields{"aggregation": []any{[]any{"count"}, []any{"max", []any{"field", s.fieldNamed("products", "id"), nil}}}})
	sql, variable := s.sql("select 1 as x"), s.sql("select {{x}} as x")
	variable["native"].(fields)["template-tags"] = fields{"x": fields{"id": "1", "name": "x", "type": "text"}}
	const noModel, noMetric = "A model cannot have variables: the SQL has some.", "A metric is a question of the query builder with exactly one aggregation."
	for _, c := range []struct {
		kind     string
		question any
		wrong    string
	}{
		{"question", list, ""}, {"question", variable, ""},
		{"model", list, ""}, {"model", twice, ""}, {"model", sql, ""}, {"model", variable, noModel},
		{"metric", counted, ""}, {"metric", list, noMetric}, {"metric", twice, noMetric}, {"metric", sql, noMetric},
	} {
		made := s.admin().post("/api/card", s.newCard(0, c.question, fields{"type": c.kind}))
		at := path("/api/card/%d", s.admin().post("/api/card", s.newCard(0, c.question)).id())
		turned := s.admin().put(at, fields{"type": c.kind})
		for _, r := range []reply{made, turned} {
			if c.wrong != "" {
				r.wrong("type", c.wrong)
				continue
			}
			r.keeps(fields{"type": c.kind})
		}
		if c.wrong == "" {
			s.admin().put(at, fields{"type": "question"}).keeps(fields{"type": "question"})
		}
	}
	// Nor does the question become another that the type does not fit.
	at := path("/api/card/%d", s.admin().post("/api/card", s.newCard(0, counted, fields{"type": "metric"})).id())
	s.admin().put(at, fields{"dataset_query": list}).wrong("type", noMetric)
	s.admin().put(at, fields{"dataset_query": list, "type": "question"}).keeps(fields{"type": "question"})
	s.admin().put(at, fields{"type": "thing"}).wrong("type", "value must be one of question, model, metric.")
}

func TestCardsAreListedByWhatTheyAreMadeOf(t *testing.T) {
	s := settledWorld(t)
	products, orders := s.tableNamed("products"), s.tableNamed("orders")
	basis := s.admin().post("/api/card", s.newCard(s.Collection, s.question(products), fields{"name": "Basis", "type": "model"})).id()
	metric := s.admin().post("/api/card", s.newCard(s.Collection, s.question(orders, fields{"aggregation": []any{[]any{"count"}}}), fields{"name": "Metric", "type": "metric"})).id()
	s.admin().post("/api/card", s.newCard(s.Collection, fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", basis)}}, fields{"name": "On the model"}))
	s.admin().post("/api/card", s.newCard(s.Closed, fields{"database": s.Database, "type": "query", "query": fields{"source-table": path("card__%d", basis)}}, fields{"name": "Hidden"}))
	s.admin().post("/api/card", s.newCard(s.Collection, s.question(orders, fields{"aggregation": []any{[]any{"metric", metric}}}), fields{"name": "With the metric"}))
	s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), fields{"name": "Own"})).want(200)
	old := s.member().post("/api/card", s.newCard(s.Collection, s.question(orders), fields{"name": "Old"})).id()
	s.member().put(path("/api/card/%d", old), fields{"archived": true}).want(200)
	for filter, want := range map[string][]string{
		"mine":                                        {"Own"},
		"archived":                                    {"Old"},
		path("database&model_id=%d", s.Database):      {"Basis", "Metric", "On the model", "Own", "Products", "With the metric"},
		path("table&model_id=%d", orders):             {"Metric", "Own", "With the metric"},
		path("using_model&model_id=%d", basis):        {"On the model"},
		path("using_metric&model_id=%d", metric):      {"With the metric"},
		path("using_model&model_id=%d", 99999):        {},
		path("using_segment&model_id=%d", 1):          {},
		path("using_model&model_id=%d", s.ClosedCard): {},
	} {
		s.member().get("/api/card?f=" + filter).listsExactly(want...)
	}
	for _, filter := range []string{"database", "table", "using_model", "using_metric", "using_segment", "nonsense"} {
		s.member().get("/api/card?f=" + filter).want(400)
	}
}
