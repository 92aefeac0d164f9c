package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
)

// setting is one of the few things about a server that administrators choose
// while it runs.
type setting struct {
	key, description string
	// fallback is the value while nobody chose one. Its type is the type of
	// the setting: text, a bool, or nil for text that may be missing.
	fallback any
	public   bool                      // told to everybody, signed in or not
	check    func(string) (why string) // nil: any text
}

// settings lists all there are.
func settings() []setting {
	return []setting{
		{key: "site-name", description: "The name of this server, as its pages show it.", fallback: "Sluice", public: true, check: shortText},
		{key: "site-url", description: "The address at which people reach this server.", public: true, check: webAddress},
		{key: "admin-email", description: "Whom people may ask for help.", public: true, check: email},
		{key: "site-locale", description: "The language of the pages.", fallback: "en", public: true, check: oneOf("en")},
		{key: "report-timezone", description: "The time zone of reports, such as Europe/Berlin. Questions on PostgreSQL and MySQL are answered in it; UTC when there is none.", public: true, check: timeZone},
		{key: "start-of-week", description: "The day on which a week begins.", fallback: "sunday", public: true,
			check: oneOf("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")},
		{key: "humanization-strategy", description: "How names of tables and fields are made readable.", fallback: "simple", public: true, check: oneOf("simple", "none")},
		{key: "user-visibility", description: "Whom people without administration see of each other: all, those they share a group with (group), or none.",
			fallback: "group", check: oneOf("all", "group", "none")},
		{key: "enable-embedding-static", description: "Whether questions may be embedded in other sites; not built yet.", fallback: false, public: true, check: oneOf("false")},
		{key: "anon-tracking-enabled", description: "Always off: Sluice reports to nobody.", fallback: false, public: true, check: oneOf("false")},
	}
}

func findSetting(key string) (setting, bool) {
	all := settings()
	i := slices.IndexFunc(all, func(s setting) bool { return s.key == key })
	if i < 0 {
		return setting{}, false
	}
	return all[i], true
}

// value is the stored text as the setting's type, or the fallback.
func (s setting) value(stored string) any {
	if stored == "" {
		return s.fallback
	}
	if _, isBool := s.fallback.(bool); isBool {
		return stored == "true"
	}
	return stored
}

// text reads a JSON value for the setting. null takes the fallback back.
func (s setting) text(v any) (string, error) {
	var text string
	must := "a string"
	if _, isBool := s.fallback.(bool); isBool {
		must = "a boolean"
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		if must != "a string" && v != "true" && v != "false" {
			return "", wrongField(s.key, "value must be "+must+".")
		}
		text = v
	case bool:
		if must != "a boolean" {
			return "", wrongField(s.key, "value must be "+must+".")
		}
		text = fmt.Sprint(v)
	default:
		return "", wrongField(s.key, "value must be "+must+".")
	}
	if s.check != nil && text != "" {
		if why := s.check(text); why != "" {
			return "", wrongField(s.key, why)
		}
	}
	return text, nil
}

func oneOf(words ...string) func(string) string {
	return func(s string) string {
		if slices.Contains(words, s) {
			return ""
		}
		return "value must be one of " + strings.Join(words, ", ") + "."
	}
}

func shortText(s string) string {
	if len(s) > 200 || strings.TrimSpace(s) == "" || strings.ContainsAny(s, "\x00\r\n") {
		return "value must be one line of at most 200 bytes."
	}
	return ""
}

func webAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.ContainsRune(s, 0) {
		return "value must be an address that begins with http:// or https://."
	}
	return ""
}

func email(s string) string {
	if !plausibleEmail(s) || strings.ContainsRune(s, 0) {
		return "value must be a valid email address."
	}
	return ""
}

func timeZone(s string) string {
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		return "value must be the name of a time zone, such as Europe/Berlin."
	}
	return ""
}

type settingWire struct {
	Key          string `json:"key"`
	Value        any    `json:"value"`
	IsEnvSetting bool   `json:"is_env_setting"`
	EnvName      string `json:"env_name"` // always empty: none is read from the environment
	Description  string `json:"description"`
	Default      any    `json:"default"`
}

type settingBody struct {
	Value Opt[any] `json:"value"`
}

func (a *API) listSettings(r *request) (any, error) {
	stored, err := a.store.Settings(r.ctx())
	if err != nil {
		return nil, err
	}
	list := []settingWire{}
	for _, s := range settings() {
		wire := settingWire{Key: s.key, Description: s.description, Default: s.fallback}
		if v := s.value(stored[s.key]); v != s.fallback {
			wire.Value = v
		}
		list = append(list, wire)
	}
	return list, nil
}

// settingReader is the need of reading one setting: administration, unless
// everybody is told the setting anyway.
func settingReader() Need {
	return object("read the setting", func(_ *API, r *request) error {
		if s, ok := findSetting(r.text("key")); ok && s.public {
			return nil
		}
		return administrator().check(nil, r)
	})
}

func (a *API) getSetting(r *request) (any, error) {
	s, ok := findSetting(r.text("key"))
	if !ok {
		return nil, errNotFound
	}
	stored, err := a.store.Setting(r.ctx(), s.key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	v := s.value(stored)
	if v == nil {
		return noContent(), nil
	}
	return v, nil
}

func (a *API) putSetting(r *request) (any, error) {
	s, ok := findSetting(r.text("key"))
	if !ok {
		return nil, errNotFound
	}
	in := bodyOf[settingBody](r)
	if !in.Value.Set {
		return nil, wrongField("value", "value must be given; null takes the default back.")
	}
	text, err := s.text(in.Value.Value)
	if err != nil {
		return nil, err
	}
	return noContent(), a.store.SetSettings(r.ctx(), r.actor(), map[string]string{s.key: text})
}

func (a *API) putSettings(r *request) (any, error) {
	in := *bodyOf[map[string]any](r)
	texts := map[string]string{}
	for key, v := range in {
		s, ok := findSetting(key)
		if !ok {
			return nil, wrongField(key, "There is no such setting.")
		}
		text, err := s.text(v)
		if err != nil {
			return nil, err
		}
		texts[key] = text
	}
	return noContent(), a.store.SetSettings(r.ctx(), r.actor(), texts)
}
