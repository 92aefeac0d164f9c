package api

import "runtime/debug"

// apiLevel is the release of Metabase whose API this one follows, in the form
// in which clients compare it.
const apiLevel = "v0.58.0"

type versionWire struct {
	Tag  string `json:"tag"`
	Date string `json:"date"`
	Hash string `json:"hash"`
	// Sluice is the version of this program.
	Sluice string `json:"sluice"`
}

// getProperties answers with the public settings and with what clients look
// for; administrators get all settings. There is never a token in it.
func (a *API) getProperties(r *request) (any, error) {
	users, err := a.store.HasUsers(r.ctx())
	if err != nil {
		return nil, err
	}
	stored, err := a.store.Settings(r.ctx())
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"version":               a.versionWire(),
		"engines":               engines(),
		"token-features":        map[string]bool{},
		"has-user-setup":        users,
		"setup-token":           nil,
		"enable-password-login": true,
		"password-complexity":   map[string]int{"total": 8},
		"google-auth-enabled":   false,
		"ldap-enabled":          false,
		"sso-enabled":           false,
		"enable-embedding":      false,
		"enable-public-sharing": false,
		"available-locales":     [][2]string{{"en", "English"}},
		"has-sample-database?":  a.hasSample(),
		"is-hosted?":            false,
		"application-name":      "Sluice",
		"enable-nested-queries": true,
	}
	for _, s := range settings() {
		if s.public || r.administers() {
			out[s.key] = s.value(stored[s.key])
		}
	}
	return out, nil
}

func (a *API) hasSample() bool {
	for d := range a.store.Graph().Catalog().Databases() {
		if d.Sample {
			return true
		}
	}
	return false
}

func (a *API) versionWire() versionWire {
	v := versionWire{Tag: apiLevel, Sluice: a.version}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Hash = s.Value[:min(7, len(s.Value))]
			case "vcs.time":
				v.Date = s.Value[:min(10, len(s.Value))]
			}
		}
	}
	return v
}

type engineWire struct {
	DriverName    string        `json:"driver-name"`
	DetailsFields []detailField `json:"details-fields"`
	SupersededBy  *string       `json:"superseded-by"`
	Source        struct {
		Type    string `json:"type"`
		Contact any    `json:"contact"`
	} `json:"source"`
	ExtraInfo any `json:"extra-info"`
}

type detailField struct {
	Name        string `json:"name"`
	DisplayName string `json:"display-name"`
	Type        string `json:"type,omitempty"`
	Placeholder string `json:"placeholder,omitempty"`
	Required    bool   `json:"required,omitempty"`
}

// engines are the kinds of databases that can be connected.
func engines() map[string]engineWire {
	sqlite := engineWire{DriverName: "SQLite", DetailsFields: []detailField{
		{Name: "db", DisplayName: "Filename", Placeholder: "/srv/data/shop.sqlite", Required: true},
	}}
	sqlite.Source.Type = "official"
	return map[string]engineWire{"sqlite": sqlite}
}
