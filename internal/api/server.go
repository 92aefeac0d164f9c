package api

// serverRoutes are about the server itself.
func serverRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/health", Need: anybody(), Answer: healthWire{},
			Summary: "Say that the server answers", handle: (*API).getHealth},
		{Method: "GET", Path: "/api/health/live", Need: anybody(), Answer: healthWire{},
			Summary: "Say that the process lives", handle: (*API).getHealth},
		{Method: "GET", Path: "/api/health/ready", Need: anybody(), Answer: healthWire{},
			Summary: "Say whether the server can do its work", handle: (*API).getReady},
		{Method: "GET", Path: "/api/docs/openapi.json", Need: anybody(), Answer: Object{},
			Summary: "Describe this API", handle: (*API).getOpenAPI},
	}
}
