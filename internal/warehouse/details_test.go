package warehouse

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// complete are details with which nothing is wrong, of a server that need not
// be there.
func complete(changes map[string]any) map[string]any {
	d := map[string]any{"host": "db.example.com", "dbname": "shop", "user": "sluice", "password": "s3cret"}
	maps.Copy(d, changes)
	return d
}

func TestUnknownAndUnsafeOptionsAreRefusedByName(t *testing.T) {
	pem := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(pem, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		changes map[string]any
		field   string // of the mistake; "" for none
	}{
		{"all that is needed", nil, ""},
		{"as a browser sends it", map[string]any{"port": nil, "ssl": false, "tunnel-enabled": false, "tunnel-port": 22, "tunnel-auth-option": "ssh-key", "advanced-options": false,
			"let-user-control-scheduling": false, "json-unfolding": true, "additional-options": nil, "use-auth-provider": false, "destination-database": false,
			"ssl-key-creator-id": nil, "ssl-root-cert-source": nil}, ""},
		{"a port in decimal", map[string]any{"port": "5433"}, ""},
		{"an address", map[string]any{"host": "2001:db8::1"}, ""},
		{"an unknown option", map[string]any{"sslmode": "disable"}, "sslmode"},
		{"an option in other letters", map[string]any{"Host": "evil.example.com"}, "Host"},
		{"a connection string", map[string]any{"dsn": "postgres://evil"}, "dsn"},
		{"options for the driver", map[string]any{"additional-options": "allowLoadLocalInfile=true&autoDeserialize=true"}, "additional-options"},
		{"options for the driver, as an object", map[string]any{"additional-options": map[string]any{"a": 1}}, "additional-options"},
		{"files for the server", map[string]any{"allowAllFiles": "true"}, "allowAllFiles"},
		{"several statements", map[string]any{"multiStatements": true}, "multiStatements"},
		{"what runs at the start", map[string]any{"init": "CREATE ALIAS"}, "init"},
		{"replication", map[string]any{"replication": "database"}, "replication"},
		{"replication behind a NUL", map[string]any{"dbname": "shop\x00replication\x00database"}, "dbname"},
		{"replication behind the user", map[string]any{"user": "sluice\x00replication\x00true"}, "user"},
		{"a NUL in the password", map[string]any{"password": "a\x00b"}, "password"},
		{"a socket", map[string]any{"host": "/var/run/postgresql"}, "host"},
		{"a socket that is abstract", map[string]any{"host": "@postgres"}, "host"},
		{"several hosts", map[string]any{"host": "a.example.com,b.example.com"}, "host"},
		{"a host with options", map[string]any{"host": "db.example.com sslmode=disable"}, "host"},
		{"a host with a path", map[string]any{"host": "db.example.com/other?allowAllFiles=true"}, "host"},
		{"another network", map[string]any{"host": "unix(/tmp/mysql.sock)"}, "host"},
		{"an address with credentials", map[string]any{"host": "root@evil"}, "host"},
		{"no host", map[string]any{"host": " "}, "host"},
		{"no user", map[string]any{"user": nil}, "user"},
		{"no database", map[string]any{"dbname": ""}, "dbname"},
		{"a number for a name", map[string]any{"dbname": 7}, "dbname"},
		{"an object for a password", map[string]any{"password": map[string]any{"select": 1}}, "password"},
		{"no port", map[string]any{"port": 0}, "port"},
		{"a port too large", map[string]any{"port": 65536}, "port"},
		{"a port that is a list", map[string]any{"port": []any{1}}, "port"},
		{"a port that is negative", map[string]any{"port": "-1"}, "port"},
		{"text for a switch", map[string]any{"ssl": "maybe"}, "ssl"},
		{"an unknown mode", map[string]any{"ssl": true, "ssl-mode": "disable"}, "ssl-mode"},
		{"a tunnel", map[string]any{"tunnel-enabled": true, "tunnel-host": "x"}, "tunnel-enabled"},
		{"an authentication provider", map[string]any{"use-auth-provider": true}, "use-auth-provider"},
		{"a role", map[string]any{"role": "admin"}, "role"},
		{"routing", map[string]any{"destination-database": true}, "destination-database"},
		{"a certificate that is none", map[string]any{"ssl": true, "ssl-root-cert-value": "-----BEGIN nothing"}, "ssl-root-cert"},
		{"a certificate in no form", map[string]any{"ssl": true, "ssl-root-cert-options": "uploaded", "ssl-root-cert-value": "%%%"}, "ssl-root-cert-value"},
		{"a file that is none", map[string]any{"ssl": true, "ssl-root-cert-path": pem + ".not"}, "ssl-root-cert-path"},
		{"a file that is a folder", map[string]any{"ssl": true, "ssl-root-cert-path": "/"}, "ssl-root-cert-path"},
		{"a file that is no certificate", map[string]any{"ssl": true, "ssl-root-cert-path": pem}, "ssl-root-cert"},
		{"a client without a certificate", map[string]any{"ssl": true, "ssl-use-client-auth": true}, "ssl-use-client-auth"},
		{"a key with a passphrase", map[string]any{"ssl-key-password-value": "x"}, "ssl-key-password-value"},
		{"schemas that are none", map[string]any{"schema-filters-type": "inclusion"}, "schema-filters-patterns"},
	} {
		for _, engine := range []string{"postgres", "mysql"} {
			if engine == "mysql" && strings.HasPrefix(tt.field, "schema-") {
				continue
			}
			raw, err := json.Marshal(complete(tt.changes))
			if err != nil {
				t.Fatal(err)
			}
			_, err = readDetails(engine, raw, nil)
			if tt.field == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", engine, tt.name, err)
				}
				continue
			}
			if e := is(t, err, Unusable); e.Field != tt.field || !strings.HasPrefix(e.Message, "details."+tt.field) {
				t.Errorf("%s, %s: field %q, %v; want it to be about %s", engine, tt.name, e.Field, e, tt.field)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s, %s: the mistake tells the password: %v", engine, tt.name, err)
			}
		}
	}
	if _, err := readDetails("mysql", []byte(`{"host":"h","dbname":"d","user":"u","schema-filters-type":"all"}`), nil); is(t, err, Unusable).Field != "schema-filters-type" {
		t.Errorf("MySQL has schemas: %v", err)
	}
}

// The driver for PostgreSQL reads an environment that was meant for other
// programs.
func TestEnvironmentDoesNotChangeAConnection(t *testing.T) {
	p := newPlace(t, "postgres")
	for name, value := range map[string]string{"PGHOST": "evil.example.com", "PGPORT": "1", "PGUSER": "evil", "PGPASSWORD": "evil", "PGDATABASE": "evil", "PGSSLMODE": "verify-full",
		"PGSSLROOTCERT": "/not/there", "PGOPTIONS": "-c search_path=evil", "PGAPPNAME": "evil", "PGTARGETSESSIONATTRS": "read-write", "PGTZ": "Asia/Tokyo"} {
		t.Setenv(name, value)
	}
	p.open(t, p.with(map[string]any{"ssl": false})) // anew
	from := p.conns().from.(*postgresServer)
	c := from.config
	if c.Host != p.server.Host || int(c.Port) != p.server.Port || c.User != p.server.Admin || c.Password != "" || c.Database != p.name || c.TLSConfig != nil || c.ValidateConnect != nil {
		t.Errorf("config %+v", c)
	}
	want := map[string]string{"application_name": "Sluice", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC"}
	if !maps.Equal(c.RuntimeParams, want) {
		t.Errorf("parameters %v", c.RuntimeParams)
	}
	if got := p.one(t, p.native("SELECT current_setting('search_path')")); got != `"$user", public` {
		t.Errorf("the search path is %v", got)
	}
}

func TestEveryOptionThatHoldsASecretIsKnownAsOne(t *testing.T) {
	for name := range secrets {
		if !Secret(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range []string{"password", "ssl-key-value", "ssl-key-password-value", "tunnel-pass", "tunnel-private-key", "tunnel-private-key-passphrase", "api-token", "client_SECRET", "service-account-json"} {
		if !Secret(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range []string{"host", "port", "dbname", "user", "ssl", "ssl-mode", "ssl-root-cert-value", "ssl-client-cert-value", "ssl-cert", "ssl-key-path", "db"} {
		if Secret(name) {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestFilesOfTheServerAreSeenInDetails(t *testing.T) {
	for _, tt := range []struct{ engine, details, want string }{
		{"sqlite", `{"db":"/var/x.db"}`, "/var/x.db"}, {"postgres", `{"host":"h","db":"/not/a/file"}`, ""}, {"postgres", `{"ssl-root-cert-path":"/etc/a","ssl-key-path":"/etc/b"}`, "/etc/b /etc/a"},
		{"mysql", `{"ssl-client-cert-path":null}`, ""}, {"mysql", `[]`, ""}, {"oracle", `{"wallet-path":"/x"}`, "/x"},
	} {
		if got := strings.Join(Files(tt.engine, []byte(tt.details)), " "); got != tt.want {
			t.Errorf("%s %s: %q, want %q", tt.engine, tt.details, got, tt.want)
		}
	}
}

func TestSchemaPatterns(t *testing.T) {
	for _, tt := range []struct {
		kind, patterns string
		takes, leaves  []string
	}{
		{"all", "", []string{"public", "x"}, nil}, {"inclusion", "public, auth*", []string{"public", "auth", "authors"}, []string{"Public", "x", "publics"}},
		{"exclusion", "*_old,tmp*x", []string{"a", "old", "tmp"}, []string{"a_old", "_old", "tmpx", "tmp_ax"}}, {"inclusion", "*", []string{"", "a"}, nil}, {"inclusion", "a*b*c", []string{"abc", "a_b_c"}, []string{"acb", "ab"}},
	} {
		f := schemaFilter{kind: tt.kind}
		for p := range strings.SplitSeq(tt.patterns, ",") {
			f.patterns = append(f.patterns, strings.TrimSpace(p))
		}
		for _, s := range tt.takes {
			if !f.takes(s) {
				t.Errorf("%s %s leaves %q", tt.kind, tt.patterns, s)
			}
		}
		for _, s := range tt.leaves {
			if f.takes(s) {
				t.Errorf("%s %s takes %q", tt.kind, tt.patterns, s)
			}
		}
	}
}

// FuzzDetails looks for details that make the server fail, or that slip an
// option through that nobody reads.
func FuzzDetails(f *testing.F) {
	for _, s := range []string{`{"db":"/x"}`, `{"host":"h","port":1,"dbname":"d","user":"u"}`, `{"host":"h","dbname":"d","user":"u","ssl":true,"ssl-mode":"verify-full"}`, `null`, `[]`, `{"host":{"a":1}}`, `{"host":"h\u0000"}`, `{"additional-options":"x"}`} {
		f.Add("postgres", s)
		f.Add("mysql", s)
		f.Add("sqlite", s)
	}
	f.Fuzz(func(t *testing.T, engine, details string) {
		if strings.Contains(details, "-path") {
			return // reads files
		}
		if _, err := readDetails(engine, []byte(details), nil); err != nil {
			_ = is(t, err, Unusable)
			return
		}
		var has map[string]json.RawMessage
		if err := json.Unmarshal([]byte(details), &has); err != nil {
			t.Fatalf("details that are no object were taken: %s", details)
		}
		if engine != "sqlite" && (has["host"] == nil || has["user"] == nil || has["dbname"] == nil) {
			t.Errorf("taken: %s", details)
		}
		for _, word := range []string{"host", "user", "dbname", "password"} {
			if strings.Contains(string(has[word]), `\u0000`) && !strings.Contains(string(has[word]), `\\u0000`) {
				t.Errorf("a NUL in %s was taken: %s", word, details)
			}
		}
	})
}
