package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// tenant is what the published provisioning program makes for one customer: a
// group, a person in it with an attribute, a collection that the group reads,
// and a database that it may ask. The calls are that program's.
type tenant struct {
	number     int
	group      int64
	user       int64
	collection int64
}

func (t *tenant) groupName() string      { return fmt.Sprintf("Tenant: %d", t.number) }
func (t *tenant) email() string          { return fmt.Sprintf("owner%d@tenant.example.com", t.number) }
func (t *tenant) collectionName() string { return fmt.Sprintf("Customer %d Dashboards", t.number) }

// made reads an answer that has an id.
func made(text []byte, err error) (int64, error) {
	var is struct{ ID int64 }
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err == nil && is.ID == 0 {
		err = fmt.Errorf("an id in %.200s: %w", text, errMissing)
	}
	return is.ID, err
}

func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of text and numbers
	}
	return text
}

func (c *client) createGroup(ctx context.Context, t *tenant) (err error) {
	t.group, err = made(c.call(ctx, "POST", "/api/permissions/group", encoded(map[string]any{"name": t.groupName()})))
	return err
}

// createUser sends a password only if it is given: hashing one is made to be
// slow.
func (c *client) createUser(ctx context.Context, t *tenant, password string) (err error) {
	body := map[string]any{"first_name": "Ada", "last_name": "Owner", "email": t.email()}
	if password != "" {
		body["password"] = password
	}
	t.user, err = made(c.call(ctx, "POST", "/api/user", encoded(body)))
	return err
}

func (c *client) setAttributes(ctx context.Context, t *tenant) error {
	_, err := c.call(ctx, "PUT", fmt.Sprintf("/api/user/%d", t.user), encoded(map[string]any{"login_attributes": map[string]string{"organization_id": fmt.Sprint(t.number)}}))
	return err
}

func (c *client) addMember(ctx context.Context, t *tenant) error {
	_, err := c.call(ctx, "POST", fmt.Sprintf("/api/permissions/group/%d/membership", t.group), encoded(map[string]any{"user_id": t.user}))
	return err
}

func (c *client) createCollection(ctx context.Context, t *tenant, parent int64) (err error) {
	body := map[string]any{"name": t.collectionName()}
	if parent != 0 {
		body["parent_id"] = parent
	}
	t.collection, err = made(c.call(ctx, "POST", "/api/collection", encoded(body)))
	return err
}

// edit reads a whole graph, writes one thing into it and sends the whole of it
// back, as the program does. The text is changed in place: what the client
// costs is not measured.
func (c *client) edit(ctx context.Context, path string, group int64, key, value string) error {
	text, err := c.call(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	place := []byte(fmt.Sprintf(`"%d":{`, group))
	at := bytes.Index(text, append([]byte(","), place...)) // not the first: that is All Users
	if at < 0 {
		return fmt.Errorf("group %d in %s: %w", group, path, errMissing)
	}
	at += 1 + len(place)
	entry := fmt.Sprintf("%q:%s", key, value)
	if text[at] != '}' {
		entry += ","
	}
	_, err = c.call(ctx, "PUT", path, append(append(append(make([]byte, 0, len(text)+len(entry)), text[:at]...), entry...), text[at:]...))
	return err
}

// shareCollection and grantDatabase are the calls that move whole graphs.
func (c *client) shareCollection(ctx context.Context, t *tenant) error {
	return c.edit(ctx, collectionPath, t.group, fmt.Sprint(t.collection), `"read"`)
}

func (c *client) grantDatabase(ctx context.Context, t *tenant, database int64) error {
	return c.edit(ctx, graphPath, t.group, fmt.Sprint(database), `{"schemas":"all"}`)
}

// find looks for one object of a list by a field.
func find(text []byte, field, value string) (int64, error) {
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		var page struct{ Data []map[string]any }
		if json.Unmarshal(text, &page) != nil {
			return 0, err
		}
		list = page.Data
	}
	for _, o := range list {
		if id, is := o["id"].(float64); is && o[field] == value {
			return int64(id), nil
		}
	}
	return 0, nil
}

// provision is the program's "full tenant provisioning pattern", with its
// look-ups and retries where somebody else was faster. It returns how often it
// had to retry.
func (c *client) provision(ctx context.Context, t *tenant, database, shared int64) (retries int, err error) {
	lookUp := func(path, field, value string) (int64, error) {
		text, err := c.call(ctx, "GET", path, nil)
		if err != nil {
			return 0, err
		}
		return find(text, field, value)
	}
	if t.group, err = lookUp("/api/permissions/group", "name", t.groupName()); err == nil && t.group == 0 {
		err = c.createGroup(ctx, t)
	}
	if err != nil {
		return 0, err
	}
	if t.user, err = lookUp("/api/user?query="+url.QueryEscape(t.email()), "email", t.email()); err == nil && t.user == 0 {
		err = c.createUser(ctx, t, strings.Repeat("a long random one ", 4))
	}
	if err != nil {
		return 0, err
	}
	if err := c.setAttributes(ctx, t); err != nil {
		return 0, err
	}
	var is struct {
		Groups []int64 `json:"group_ids"`
	}
	text, err := c.call(ctx, "GET", fmt.Sprintf("/api/user/%d", t.user), nil)
	if err == nil {
		err = json.Unmarshal(text, &is)
	}
	if err == nil && len(is.Groups) < 2 {
		err = c.addMember(ctx, t)
	}
	if err != nil {
		return 0, err
	}
	if t.collection, err = lookUp("/api/collection", "name", t.collectionName()); err == nil && t.collection == 0 {
		err = c.createCollection(ctx, t, shared)
	}
	if err != nil {
		return 0, err
	}
	for _, step := range []func() error{
		func() error { return c.shareCollection(ctx, t) },
		func() error { return c.grantDatabase(ctx, t, database) },
	} {
		for {
			err := step()
			if err == nil {
				break
			}
			if !hasStatus(err, http.StatusConflict) {
				return retries, err
			}
			retries++
		}
	}
	return retries, nil
}
