package acceptance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// asker asks one server as one person. Unlike server.call it can be used from
// any goroutine, and what goes wrong is an error: a server may be killed, or
// have been stopped, while it is asked.
type asker struct {
	site   string
	who    credential
	client *http.Client
	// patient asks again when the server answers nobody for a moment, as one does
	// whose machine has so much to do that its lease ends.
	patient bool
}

// newClient is a client with as many connections as there are goroutines that
// ask, and an end for what would hang for ever.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: patience}
}

// as is the server, asked by somebody through the client.
func (s *server) as(who credential, client *http.Client) asker {
	return asker{site: s.site, who: who, client: client}
}

// reply is what came back.
type reply struct {
	status int // 0 where nothing came
	header http.Header
	text   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %.500s", r.status, r.text) }

// ask makes one request. An error beside a status is that of an answer that
// was cut short.
func (a asker) ask(ctx context.Context, method, path string, header credential, body any) (reply, error) {
	r, err := a.once(ctx, method, path, header, body)
	for a.patient && err == nil && r.status == http.StatusServiceUnavailable {
		select {
		case <-ctx.Done():
			return r, ctx.Err()
		case <-time.After(time.Second): // what Retry-After says
		}
		r, err = a.once(ctx, method, path, header, body)
	}
	return r, err
}

func (a asker) once(ctx context.Context, method, path string, header credential, body any) (reply, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.site+path, sent)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range []credential{a.who, header} {
		for name, value := range h {
			req.Header.Set(name, value)
		}
	}
	res, err := a.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, header: res.Header}
	r.text, err = io.ReadAll(res.Body)
	return r, err
}

// need is ask for an answer that must have the status, read into out if that
// is not nil.
func (a asker) need(ctx context.Context, status int, method, path string, body, out any) error {
	r, err := a.ask(ctx, method, path, nil, body)
	if err == nil && r.status != status {
		err = fmt.Errorf("%s instead of %d", r, status)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(r.text, out)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// get reads what must be there.
func (a asker) get(ctx context.Context, path string, out any) error {
	return a.need(ctx, http.StatusOK, http.MethodGet, path, nil, out)
}

// signIn tries to sign a person in. An error is anything but yes or no.
func (a asker) signIn(ctx context.Context, email, password string) (who credential, ok bool, err error) {
	r, err := a.ask(ctx, "POST", "/api/session", nil, map[string]string{"username": email, "password": password})
	switch {
	case err != nil:
		return nil, false, err
	case r.status == http.StatusUnauthorized:
		return nil, false, nil
	case r.status != http.StatusOK:
		return nil, false, fmt.Errorf("sign in %s: %s", email, r)
	}
	var session struct{ ID string }
	err = json.Unmarshal(r.text, &session)
	return credential{"X-Metabase-Session": session.ID}, true, err
}

// rows asks how many rows a table has. Nothing is learnt where it is refused.
func (a asker) rows(ctx context.Context, table int64) (n int64, answered bool, err error) {
	r, err := a.ask(ctx, "POST", "/api/dataset", nil, map[string]any{"database": 1, "type": "query",
		"query": map[string]any{"source-table": table, "aggregation": []any{[]any{"count"}}}})
	if err != nil {
		return 0, false, err
	}
	var result struct {
		Status string
		Data   struct{ Rows [][]int64 }
	}
	if r.status == http.StatusForbidden {
		return 0, false, nil
	}
	if r.status != http.StatusAccepted {
		return 0, false, fmt.Errorf("table %d: %s", table, r)
	}
	if err := json.Unmarshal(r.text, &result); err != nil {
		return 0, false, fmt.Errorf("table %d: %w in %s", table, err, r)
	}
	switch {
	case result.Status == "failed" && len(result.Data.Rows) == 0:
		return 0, false, nil
	case result.Status == "completed" && len(result.Data.Rows) == 1 && len(result.Data.Rows[0]) == 1:
		return result.Data.Rows[0][0], true, nil
	}
	return 0, false, fmt.Errorf("table %d: neither rows nor a refusal: %s", table, r)
}
