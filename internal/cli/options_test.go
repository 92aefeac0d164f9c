package cli

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// told is the options after flags and environment have spoken.
func told(t *testing.T, args []string, env map[string]string) (options, error) {
	t.Helper()
	var o options
	f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	o.flags(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o, o.complete(f, func(name string) string { return env[name] })
}

func TestFlagsCountMoreThanTheEnvironment(t *testing.T) {
	o, err := told(t, []string{"--addr", "127.0.0.1:1"}, map[string]string{
		"SLUICE_ADDR": "127.0.0.1:2", "SLUICE_DATA": "elsewhere", "SLUICE_TRUSTED_PROXIES": "10.0.0.7,10.1.0.0/16",
		"SLUICE_DATABASE_URL": "postgres://sluice@db/sluice", "SLUICE_LOG_FORMAT": "json", "SLUICE_INSECURE_HTTP": "true",
	})
	if err != nil {
		t.Fatal(err)
	}
	if o.addr != "127.0.0.1:1" || o.data != "elsewhere" || o.databaseURL != "postgres://sluice@db/sluice" || o.logFormat != "json" || !o.insecureHTTP {
		t.Errorf("got %+v", o)
	}
	if len(o.proxies) != 2 || o.proxies[0].String() != "10.0.0.7/32" || o.proxies[1].String() != "10.1.0.0/16" {
		t.Errorf("proxies: %v", o.proxies)
	}
}

func TestUnsafeAndSenselessSettingsAreRefusedWithAWayOut(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		env  map[string]string
		want string // "" is accepted
	}{
		{"the default", nil, nil, ""},
		{"loopback by name", []string{"--addr", "localhost:3000"}, nil, ""},
		{"loopback, version 6", []string{"--addr", "[::1]:3000"}, nil, ""},
		{"every interface", []string{"--addr", "0.0.0.0:3000"}, nil, "--trusted-proxy"},
		{"every interface, unwritten", []string{"--addr", ":3000"}, nil, "--trusted-proxy"},
		{"every interface, version 6", []string{"--addr", "[::]:3000"}, nil, "--trusted-proxy"},
		{"a name that may be anybody's", []string{"--addr", "localhost.example:3000"}, nil, "--trusted-proxy"},
		{"a network address", nil, map[string]string{"SLUICE_ADDR": "10.0.0.5:3000"}, "--trusted-proxy"},
		{"behind a proxy", []string{"--addr", ":3000", "--trusted-proxy", "10.0.0.7"}, nil, ""},
		{"in the clear, knowingly", []string{"--addr", ":3000", "--insecure-http"}, nil, ""},
		{"no port", []string{"--addr", "127.0.0.1"}, nil, "127.0.0.1:3000"},
		{"no number", []string{"--addr", "127.0.0.1:http"}, nil, "port"},
		{"a port too high", []string{"--addr", "127.0.0.1:65536"}, nil, "port"},
		{"a proxy that is none", []string{"--trusted-proxy", "proxy.local"}, nil, `"proxy.local"`},
		{"a yes that is none", nil, map[string]string{"SLUICE_INSECURE_HTTP": "perhaps"}, "SLUICE_INSECURE_HTTP"},
		{"a log format", nil, map[string]string{"SLUICE_LOG_FORMAT": "xml"}, `"xml"`},
		{"half an administrator", nil, map[string]string{"SLUICE_ADMIN_EMAIL": "a@example.com"}, "together"},
		{"the other half", nil, map[string]string{"SLUICE_ADMIN_PASSWORD": "x"}, "together"},
		{"another database", nil, map[string]string{"SLUICE_DATABASE_URL": "mysql://u:hush@h/d"}, "postgres://"},
		{"a broken address", nil, map[string]string{"SLUICE_DATABASE_URL": "postgres://u:hu sh%@h/d"}, "%40"},
		{"no folder", []string{"--data", ""}, nil, "--data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := told(t, c.args, c.env)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && err == nil:
				t.Error("accepted")
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("the refusal does not say %q: %v", c.want, err)
			case err != nil && strings.Contains(err.Error(), "hu"+"sh"):
				t.Errorf("the refusal shows a password: %v", err)
			}
		})
	}
}

func TestTheDatabaseIsShownWithoutItsPassword(t *testing.T) {
	o := options{databaseURL: "postgres://sluice:hush@db:5432/app?sslmode=require&password=hush"}
	if got := o.shownDatabase(); got != "postgres://db:5432/app" {
		t.Errorf("shown as %s", got)
	}
	if got := new(options).shownDatabase(); got != "sluice.db" {
		t.Errorf("the embedded one is shown as %s", got)
	}
}
