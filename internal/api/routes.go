package api

import "slices"

// routes lists everything that can be asked of the API, by noun. It is the
// one source of the router, of the OpenAPI document, and of the tests that
// walk all routes. The nouns' files say what each does.
func routes() []Route {
	return slices.Concat(
		serverRoutes(), // set-up, sign-in, properties, settings, health, documents
		peopleRoutes(), // people, groups, memberships, API keys
		graphRoutes(),  // the data and the collection permissions
		policyRoutes(), // which rows and columns of sandboxed tables
		impersonationRoutes(),
		explainRoutes(), // why, since when, and what waits for a decision
		collectionRoutes(),
		cardRoutes(), // saved questions
		dashboardRoutes(),
		revisionRoutes(), // what those two were
		snippetRoutes(),  // SQL that people share
		databaseRoutes(),
		governanceRoutes(),
		tableRoutes(),
		fieldRoutes(),
		fieldValueRoutes(),
		parameterRoutes(), // what people choose from
		segmentRoutes(),
		datasetRoutes(), // questions that are not saved
		searchRoutes(),
		activityRoutes(), // what people opened
		bookmarkRoutes(),
	)
}
