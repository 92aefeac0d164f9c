package api

import "encoding/json"

// strangersLimit is the most bytes that are read from people who have not
// signed in.
const strangersLimit = 64 << 10

// serverRoutes are about the server itself: set-up, sign-in, properties,
// settings, health and documents.
func serverRoutes() []Route {
	return []Route{
		{Method: "GET", Path: "/api/health", Need: anybody(), Unleased: true, Answer: healthWire{},
			Summary: "Say whether the server answers people", handle: (*API).getHealth},
		{Method: "GET", Path: "/api/health/live", Need: anybody(), Unleased: true, Answer: healthWire{},
			Summary: "Say that the process lives", handle: (*API).getLive},
		{Method: "GET", Path: "/api/health/ready", Need: anybody(), Unleased: true, Answer: healthWire{},
			Summary: "Say whether the server can do its work", handle: (*API).getReady},
		{Method: "GET", Path: "/api/docs/openapi.json", Need: anybody(), Answer: Object{},
			Summary: "Describe this API", handle: (*API).getOpenAPI},

		{Method: "POST", Path: "/api/setup", Need: anybody(), Body: setupBody{}, Answer: sessionWire{}, Limit: strangersLimit,
			Summary: "Create the first administrator with the one-time token", handle: (*API).setUp},
		{Method: "POST", Path: "/api/session", Need: anybody(), Body: signInBody{}, Answer: sessionWire{}, Limit: strangersLimit,
			Summary: "Sign in with e-mail and password", handle: (*API).signIn},
		{Method: "DELETE", Path: "/api/session", Need: anybody(),
			Summary: "Sign out", handle: (*API).signOut},
		{Method: "GET", Path: "/api/session/properties", Need: anybody(), Answer: map[string]any{},
			Summary: "What pages and clients need to know about the server", handle: (*API).getProperties},

		{Method: "GET", Path: "/api/setting", Need: administrator(), Answer: []settingWire{},
			Summary: "List the settings", handle: (*API).listSettings},
		{Method: "PUT", Path: "/api/setting", Need: administrator(), Body: map[string]any{},
			Summary: "Change several settings at once", handle: (*API).putSettings},
		{Method: "GET", Path: "/api/setting/{key:text}", Need: settingReader(), Answer: json.RawMessage{},
			Summary: "Read one setting", handle: (*API).getSetting},
		{Method: "PUT", Path: "/api/setting/{key:text}", Need: administrator(), Body: settingBody{},
			Summary: "Change one setting; null takes the default back", handle: (*API).putSetting},
	}
}
