package api

// peopleRoutes are about people, groups, memberships and API keys.
func peopleRoutes() []Route { return nil }
