package api

import (
	"html/template"
	"net/http"

	"github.com/sluice-bi/sluice/internal/permission"
)

var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluice</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
<h1>Sluice is running</h1>
<p>Version {{.Version}}.</p>
{{if .SetUp}}<p>No account exists yet. The server printed a one-time set-up token when it started;
send it to <code>POST /api/setup</code> to create the first administrator.</p>
{{end}}<p>The API is described in <a href="/api/docs/openapi.json">/api/docs/openapi.json</a>.</p>
</html>
`))

// index is the page at the root of the server, until there is a user interface.
// It asks nothing of the database, which may not be there.
func (a *API) index(w http.ResponseWriter, _ *http.Request) {
	recorderOf(w).route = "/"
	users := false
	for range a.store.Graph().Members(permission.Administrators) {
		users = true
		break
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = indexPage.Execute(w, struct {
		Version string
		SetUp   bool
	}{a.version, !users})
}
