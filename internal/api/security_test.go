package api

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// browser sends a session as a browser does.
func (w *world) browser(session string, more ...string) caller {
	h := http.Header{"Cookie": {sessionCookie + "=" + session}}
	for i := 0; i+1 < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return caller{w, h}
}

func TestRequestsThatAnotherSiteMadeABrowserSendAreRefused(t *testing.T) {
	w := settledWorld(t)
	group := map[string]any{"name": "Made elsewhere"}
	for what, c := range map[string]caller{
		"fetch metadata": w.browser(w.AdminSession, "Sec-Fetch-Site", "cross-site"),
		"same site":      w.browser(w.AdminSession, "Sec-Fetch-Site", "same-site"),
		"origin":         w.browser(w.AdminSession, "Origin", "https://elsewhere.example"),
		"null origin":    w.browser(w.AdminSession, "Origin", "null"),
		"form":           w.browser(w.AdminSession, "Origin", "https://elsewhere.example", "Content-Type", "text/plain"),
	} {
		c.post("/api/permissions/group", group).text(403, crossSite)
		c.delete("/api/user/3").text(403, crossSite)
		if t.Failed() {
			t.Fatal(what)
		}
	}
	// Signing somebody in from another site is no better.
	c := w.nobody()
	c.header.Set("Origin", "https://elsewhere.example")
	c.post("/api/session", map[string]any{"username": "member@example.org", "password": testPassword}).want(403)

	w.browser(w.AdminSession, "Sec-Fetch-Site", "same-origin").post("/api/permissions/group", map[string]any{"name": "Made here"}).want(200)
	w.browser(w.AdminSession, "Origin", "http://sluice.test").post("/api/permissions/group", map[string]any{"name": "Made here too"}).want(200)
	w.browser(w.AdminSession).post("/api/permissions/group", map[string]any{"name": "Made by an old browser"}).want(200)
	w.browser(w.AdminSession, "Sec-Fetch-Site", "cross-site").get("/api/user/current").want(200) // following a link
	// What browsers do not send by themselves may come from anywhere.
	for _, c := range []caller{w.admin(), w.key(w.AdminKey)} {
		c.header.Set("Origin", "https://elsewhere.example")
		c.post("/api/permissions/group", map[string]any{"name": "Program " + c.header.Get(keyHeader)}).want(200)
	}
	// A credential that is not alive does not open the door for the cookie.
	c = w.browser(w.AdminSession, "Origin", "https://elsewhere.example", keyHeader, "mb_0000000000000000000000")
	c.post("/api/permissions/group", group).want(403)
}

func TestTheFirstCredentialThatIsAliveCounts(t *testing.T) {
	w := settledWorld(t)
	who := func(c caller) int64 { t.Helper(); return c.get("/api/user/current").id() }
	c := w.browser(w.MemberSession, sessionHeader, w.OutsiderSession, keyHeader, w.AdminKey)
	if got := who(c); got != w.Member {
		t.Errorf("cookie, header and key: user %d", got)
	}
	c.header.Set("Cookie", sessionCookie+"=0123456789012345678901234567890")
	if got := who(c); got != w.Outsider {
		t.Errorf("dead cookie, header and key: user %d", got)
	}
	c.header.Set(sessionHeader, "0123456789012345678901234567890")
	if !c.get("/api/user/current").object()["is_superuser"].(bool) {
		t.Error("dead cookie, dead header and key: not the key's user")
	}
	c.header.Set(keyHeader, "mb_0123456789")
	c.get("/api/user/current").text(401, "Unauthenticated")
}

func TestSignInGivesASessionThatEnds(t *testing.T) {
	w := settledWorld(t)
	in := map[string]any{"username": "MEMBER@example.org", "password": testPassword}
	r := w.nobody().post("/api/session", in).want(200)
	id := r.object()["id"].(string)
	if len(id) < 43 {
		t.Errorf("the session id %q is too short for 256 bits", id)
	}
	cookies := (&http.Response{Header: r.header}).Cookies()
	if len(cookies) != 2 || cookies[0].Name != sessionCookie || cookies[0].Value != id || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode ||
		cookies[0].Secure || cookies[0].MaxAge != 0 || !cookies[0].Expires.IsZero() || cookies[0].Path != "/" {
		t.Errorf("cookies without remember, over http: %v", cookies)
	}
	if cookies[1].Name != timeoutCookie || cookies[1].HttpOnly {
		t.Errorf("the other cookie: %v", cookies[1])
	}
	in["remember"] = true
	proxied := w.nobody()
	proxied.header.Set("X-Forwarded-Proto", "https")
	if c := (&http.Response{Header: proxied.post("/api/session", in).want(200).header}).Cookies(); c[0].Secure {
		t.Error("anybody can say that they speak https")
	}
	req := httptest.NewRequest("POST", "http://sluice.test/api/session", strings.NewReader(`{"username":"member@example.org","password":"`+testPassword+`","remember":true}`))
	req.RemoteAddr = "127.0.0.1:1234"
	req.Header.Set("X-Forwarded-Proto", "https")
	rec := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(rec, req)
	if c := rec.Result().Cookies(); rec.Code != 200 || !c[0].Secure || c[0].MaxAge != 14*24*3600 {
		t.Errorf("cookies with remember, behind a proxy on this machine that speaks https: %v", c)
	}

	w.with(id).get("/api/user/current").want(200)
	w.browser(id).get("/api/user/current").want(200)
	w.clock.advance(14*24*time.Hour - time.Second)
	w.with(id).get("/api/user/current").want(200)
	w.clock.advance(2 * time.Second)
	w.with(id).get("/api/user/current").text(401, "Unauthenticated")
}

func TestSignOutEndsTheSessionAndOnlyThat(t *testing.T) {
	w := settledWorld(t)
	in := map[string]any{"username": "member@example.org", "password": testPassword}
	id := w.nobody().post("/api/session", in).want(200).object()["id"].(string)
	r := w.browser(id).delete("/api/session")
	r.text(204, "")
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		if c.MaxAge >= 0 || c.Value != "" {
			t.Errorf("cookie %v stays", c)
		}
	}
	w.with(id).get("/api/user/current").want(401)
	w.member().get("/api/user/current").want(200)
	w.with(id).delete("/api/session").text(404, "Not found.")
	w.nobody().delete("/api/session").text(404, "Not found.")
	w.key(w.AdminKey).delete("/api/session").text(404, "Not found.")
}

func TestWrongPasswordUnknownAndDeactivatedAccountsAreAnsweredAlike(t *testing.T) {
	w := settledWorld(t)
	w.admin().delete("/api/user/" + w.names()["$outsider"]).want(200)
	w.outsider().get("/api/user/current").text(401, "Unauthenticated")
	w.admin().post("/api/user", map[string]any{"email": "nopassword@example.org"}).want(200)
	const want = `{"errors":{"password":"did not match stored password"}}` + "\n"
	for _, in := range []map[string]any{
		{"username": "member@example.org", "password": "a long sentence!"},
		{"username": "nobody@example.org", "password": testPassword},
		{"username": "outsider@example.org", "password": testPassword},
		{"username": "nopassword@example.org", "password": testPassword},
		{"username": "nopassword@example.org", "password": " "},
	} {
		if in["password"] == " " {
			w.nobody().post("/api/session", in).wrong("password", "value must be a non-blank string.")
			continue
		}
		w.nobody().post("/api/session", in).text(401, want)
	}
	if strings.Contains(w.log.String(), "long sentence") || strings.Contains(w.log.String(), "@example.org") {
		t.Error("the log holds a password or an address")
	}
}

func TestSignInIsThrottledAndSaysHowLong(t *testing.T) {
	w := settledWorld(t)
	wrong := map[string]any{"username": "member@example.org", "password": "not this one"}
	right := map[string]any{"username": "member@example.org", "password": testPassword}
	for range accountBurst {
		w.nobody().post("/api/session", wrong).want(401)
	}
	r := w.nobody().post("/api/session", right)
	r.text(401, `{"errors":{"username":"Too many attempts! You must wait 30 seconds before trying again."}}`+"\n")
	if r.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After is %q", r.header.Get("Retry-After"))
	}
	w.member().get("/api/user/current").want(200) // who is in stays in
	w.nobody().post("/api/session", map[string]any{"username": "admin@example.org", "password": testPassword}).want(200)
	w.clock.advance(31 * time.Second)
	w.nobody().post("/api/session", right).want(200)
}

func TestOldPasswordsCannotBeGuessedThroughAStolenSession(t *testing.T) {
	w := settledWorld(t)
	path := "/api/user/" + w.names()["$member"] + "/password"
	for range accountBurst {
		w.member().put(path, map[string]any{"password": "another sentence", "old_password": "a guess"}).wrong("old_password", "Invalid password")
	}
	w.member().put(path, map[string]any{"password": "another sentence", "old_password": testPassword}).want(401)
}

func TestAPasswordChangeEndsTheOtherSessions(t *testing.T) {
	w := settledWorld(t)
	path := "/api/user/" + w.names()["$member"] + "/password"
	w.member().put(path, map[string]any{"password": "short", "old_password": testPassword}).wrong("password", "The password is too short: it must have at least 8 characters.")
	w.member().put(path, map[string]any{"password": "another sentence"}).wrong("old_password", "Invalid password")
	w.outsider().put(path, map[string]any{"password": "another sentence", "old_password": testPassword}).want(403)
	r := w.member().put(path, map[string]any{"password": "another sentence", "old_password": testPassword}).want(200).object()
	if r["success"] != true {
		t.Errorf("answer %v", r)
	}
	w.member().get("/api/user/current").want(401)
	w.with(r["session_id"].(string)).get("/api/user/current").want(200)
	w.admin().put(path, map[string]any{"password": "a third sentence"}).text(204, "")
	w.with(r["session_id"].(string)).get("/api/user/current").want(401)
	w.nobody().post("/api/session", map[string]any{"username": "member@example.org", "password": "a third sentence"}).want(200)
}

func TestDeactivationEndsSessionsAndKeysAtOnce(t *testing.T) {
	w := settledWorld(t)
	w.member().get("/api/user/current").want(200)
	w.admin().delete("/api/user/" + w.names()["$member"]).want(200)
	w.member().get("/api/user/current").want(401)
	w.admin().put("/api/user/"+w.names()["$member"]+"/reactivate", nil).want(200)
	w.member().get("/api/user/current").want(401)

	w.key(w.MemberKey).get("/api/user/current").want(200)
	var k apiKeyWire
	w.admin().put("/api/api-key/"+w.names()["$api_key"]+"/regenerate", nil).want(200).into(&k)
	w.key(w.MemberKey).get("/api/user/current").want(401)
	w.key(k.UnmaskedKey).get("/api/user/current").want(200)
	w.admin().delete("/api/api-key/" + w.names()["$api_key"]).want(204)
	w.key(k.UnmaskedKey).get("/api/user/current").want(401)
}

func TestBodiesOverTheLimitAreRefusedWithASentence(t *testing.T) {
	w := settledWorld(t)
	big := `{"name":"` + strings.Repeat("x", defaultLimit) + `"}`
	w.admin().post("/api/permissions/group", big).text(413, `{"message":"The body is too large: this address takes at most 1048576 bytes."}`+"\n")
	w.nobody().post("/api/permissions/group", big).text(401, "Unauthenticated") // and is not read
	w.nobody().post("/api/session", big).want(413)
	// Where more is allowed it is read only for those who may.
	w.member().put("/api/permissions/graph", big+"no JSON").text(403, "You don't have permissions to do that.")
	w.admin().put("/api/permissions/graph", big+"no JSON").want(400)
}

func TestUnknownAddressesAndMethodsDoNotExist(t *testing.T) {
	w := settledWorld(t)
	for _, c := range []caller{w.nobody(), w.admin()} {
		for _, path := range []string{"/api/nothing", "/api", "/api/", "/api/user/x", "/api/user/1.5", "/api/user/-1", "/api/user/99999999999999999999", "/api/user/1/nothing"} {
			c.get(path).text(404, "API endpoint does not exist.")
		}
		c.send("PATCH", "/api/user/1", map[string]any{}).text(404, "API endpoint does not exist.")
		c.get("/elsewhere").text(404, "Not found.")
	}
	r := w.admin().get("/api/user/")
	if r.want(200).object()["total"] == nil {
		t.Errorf("with a slash at its end: %s", r.body)
	}
	w.admin().get("/api/permissions/group/1/").want(200)
}

func TestMissingIsForbiddenToPeopleAndNotFoundToAdministrators(t *testing.T) {
	w := settledWorld(t)
	for _, path := range []string{"/api/user/999", "/api/permissions/group/999"} {
		w.admin().get(path).text(404, "Not found.")
		w.member().get(path).text(403, "You don't have permissions to do that.")
	}
	w.member().get("/api/user/1").text(403, "You don't have permissions to do that.")
}

func TestEveryAnswerBearsItsRequestIDAndIsLoggedWithoutSecrets(t *testing.T) {
	w := settledWorld(t)
	c := w.admin()
	c.header.Set("X-Request-Id", "from-the-proxy.1")
	r := c.get("/api/user/" + w.names()["$member"] + "?token=secret-in-query")
	if got := r.header.Get("X-Request-Id"); got != "from-the-proxy.1" {
		t.Errorf("request id %q", got)
	}
	line := w.log.String()[strings.LastIndex(w.log.String(), "msg=request "):]
	for _, want := range []string{"request_id=from-the-proxy.1", "method=GET", "route=/api/user/{id}", "status=200", "user=" + w.names()["$admin"]} {
		if !strings.Contains(line, want) {
			t.Errorf("the log line has no %s: %s", want, line)
		}
	}
	if strings.Contains(w.log.String(), "secret-in-query") || strings.Contains(w.log.String(), w.AdminSession) {
		t.Error("the log holds a query string or a token")
	}
	for _, bad := range []string{"", "a b", "x\ny=z", strings.Repeat("a", 65), `"`} {
		c.header.Set("X-Request-Id", bad)
		if got := c.get("/api/health").header.Get("X-Request-Id"); got == bad || len(got) < 16 {
			t.Errorf("request id %q was answered with %q", bad, got)
		}
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if got := r.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestMetricsAreForAdministratorsAndThisMachine(t *testing.T) {
	w := settledWorld(t)
	w.nobody().get("/metrics").text(401, "Unauthenticated")
	w.member().get("/metrics").text(403, "You don't have permissions to do that.")
	body := string(w.key(w.AdminKey).get("/metrics").want(200).body)
	for _, want := range []string{`sluice_http_requests_total{method="GET",route="/metrics",status="401"} 1`, "sluice_graph_revision ", "sluice_store_statements_total "} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics have no %s", want)
		}
	}
	from := func(remote, host string, header ...string) int {
		req := httptest.NewRequest("GET", "http://"+host+"/metrics", nil)
		req.RemoteAddr = remote
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, req)
		return rec.Code
	}
	for _, c := range []struct {
		remote, host string
		header       []string
		want         int
	}{
		{"127.0.0.1:5", "localhost:3000", nil, 200},
		{"127.0.0.1:5", "127.0.0.1:3000", nil, 200},
		{"[::1]:5", "[::1]:3000", nil, 200},
		{"127.0.0.1:5", "rebound.example", nil, 401},
		{"127.0.0.1:5", "localhost", []string{"X-Forwarded-For", "192.0.2.7"}, 401},
		{"192.0.2.7:5", "localhost", nil, 401},
	} {
		if got := from(c.remote, c.host, c.header...); got != c.want {
			t.Errorf("from %s as %s %v: status %d, want %d", c.remote, c.host, c.header, got, c.want)
		}
	}
}

func TestTheThrottleSeesTheClientBehindTrustedProxiesOnly(t *testing.T) {
	w := emptyWorld(t)
	for _, c := range []struct{ remote, forwarded, want string }{
		{"192.0.2.7:1", "", "192.0.2.7"},
		{"192.0.2.7:1", "198.51.100.1", "192.0.2.7"},
		{"127.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"127.0.0.1:1", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		{"127.0.0.1:1", "not an address", "127.0.0.1"},
		{"127.0.0.1:1", "198.51.100.1, 127.0.0.1", "198.51.100.1"},
	} {
		req := httptest.NewRequest("GET", "/", nil)
		req.RemoteAddr = c.remote
		if c.forwarded != "" {
			req.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := w.api.client(req).String(); got != c.want {
			t.Errorf("%s forwarding %q: %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestAPanicIsA500WithoutWords(t *testing.T) {
	w := emptyWorld(t)
	rt := Route{Method: "GET", Path: "/api/broken", Need: anybody(), Summary: "Break",
		handle: func(*API, *request) (any, error) { panic("secret detail") }}
	h := w.api.observe(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.api.serve(&rt, rw, r) }))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest("GET", "/api/broken", nil))
	if rec.Code != 500 || strings.Contains(rec.Body.String(), "secret") || !strings.Contains(rec.Body.String(), rec.Header().Get("X-Request-Id")) {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
	if !strings.Contains(w.log.String(), "secret detail") {
		t.Error("the log does not say what happened")
	}
}

func TestTokensAreStoredOnlyAsDigests(t *testing.T) {
	w := settledWorld(t)
	var k apiKeyWire
	w.admin().post("/api/api-key", map[string]any{"name": "digest", "group_id": 1}).want(200).into(&k)
	if !strings.HasPrefix(k.UnmaskedKey, "mb_") || len(k.UnmaskedKey) < 46 || !strings.HasPrefix(k.UnmaskedKey, strings.TrimRight(k.MaskedKey, "*")) || len(strings.TrimRight(k.MaskedKey, "*")) != 7 {
		t.Errorf("key %q, masked %q", k.UnmaskedKey, k.MaskedKey)
	}
	list := string(w.admin().get("/api/api-key").want(200).body)
	if strings.Contains(list, k.UnmaskedKey) || strings.Contains(list, "unmasked_key") {
		t.Error("the key is shown a second time")
	}
	dump := w.dump()
	for what, token := range map[string]string{"session": w.AdminSession, "key": k.UnmaskedKey, "password": testPassword} {
		if strings.Contains(dump, token) {
			t.Errorf("the application database holds the %s itself", what)
		}
	}
}

func TestQuestionsAreCountedByOutcome(t *testing.T) {
	w := settledWorld(t)
	ask := w.fill(`{"database":$database,"type":"query","query":{"source-table":$table,"limit":2}}`)
	w.member().post("/api/dataset", ask).want(202)
	w.member().post("/api/dataset/csv", `{"query":`+ask+`}`).want(200)
	w.outsider().post("/api/dataset", ask).want(202)
	w.admin().post("/api/dataset", w.fill(`{"database":$database,"type":"query","query":{"source-table":$table,"filter":["no such clause"]}}`)).want(202)
	metrics := string(w.admin().get("/metrics").want(200).body)
	for outcome, n := range map[string]string{"completed": "2", "denied": "1", "failed": "1"} {
		if !strings.Contains(metrics, `sluice_queries_total{outcome="`+outcome+`"} `+n+"\n") {
			t.Errorf("%s questions are not counted as %s", outcome, n)
		}
	}
}
