package api

// segmentRoutes answer programs that list the segments of a server: saved
// filters of tables, of which Sluice has none.
func segmentRoutes() []Route {
	return []Route{{Method: "GET", Path: "/api/segment", Need: person(), Answer: []any{},
		Summary: "List the segments; there are none", handle: (*API).listSegments}}
}

func (a *API) listSegments(*request) (any, error) { return []any{}, nil }
