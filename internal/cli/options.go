package cli

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/pflag"
)

// options is what `sluice serve` was told, by flags first, then by the
// environment. Secrets have no flag: arguments show in the list of processes.
type options struct {
	addr           string
	data           string
	databaseURL    string
	insecureHTTP   bool
	trustedProxies []string
	logFormat      string

	secretKey     string
	adminEmail    string
	adminPassword string

	proxies []netip.Prefix // trustedProxies, read
}

// flags declares the flags with the environment variable of each.
func (o *options) flags(f *pflag.FlagSet) {
	f.StringVar(&o.addr, "addr", "127.0.0.1:3000", "host and port to listen on (SLUICE_ADDR)")
	f.StringVar(&o.data, "data", "data", "data folder: application database, key file, sample warehouse (SLUICE_DATA)")
	f.StringVar(&o.databaseURL, "database-url", "", "application database in PostgreSQL instead of the data folder; with a password in it, prefer the environment (SLUICE_DATABASE_URL)")
	f.StringSliceVar(&o.trustedProxies, "trusted-proxy", nil, "address or network of a reverse proxy that speaks https to people; repeat for more (SLUICE_TRUSTED_PROXIES, separated by commas)")
	f.BoolVar(&o.insecureHTTP, "insecure-http", false, "listen on the network without a proxy that encrypts (SLUICE_INSECURE_HTTP=true)")
	f.StringVar(&o.logFormat, "log-format", "text", "text or json (SLUICE_LOG_FORMAT)")
}

// variables are the environment variables that stand for flags.
var variables = [...]struct{ flag, name string }{
	{"addr", "SLUICE_ADDR"}, {"data", "SLUICE_DATA"}, {"database-url", "SLUICE_DATABASE_URL"},
	{"trusted-proxy", "SLUICE_TRUSTED_PROXIES"}, {"insecure-http", "SLUICE_INSECURE_HTTP"}, {"log-format", "SLUICE_LOG_FORMAT"},
}

// complete takes from the environment what no flag said, and refuses what
// makes no sense or is not safe, with a sentence that says what to do.
func (o *options) complete(f *pflag.FlagSet, env func(string) string) error {
	for _, v := range variables {
		if value := env(v.name); value != "" && !f.Changed(v.flag) {
			if err := f.Set(v.flag, value); err != nil {
				return fmt.Errorf("%s: %q cannot be used; it is for: %s", v.name, value, f.Lookup(v.flag).Usage)
			}
		}
	}
	o.secretKey, o.adminEmail, o.adminPassword = env("SLUICE_SECRET_KEY"), env("SLUICE_ADMIN_EMAIL"), env("SLUICE_ADMIN_PASSWORD")
	return errors.Join(o.checkDatabaseURL(), o.checkProxies(), o.checkAddr(), o.checkRest())
}

func (o *options) checkDatabaseURL() error {
	if o.databaseURL == "" {
		return nil
	}
	// What url.Parse says repeats the address, and with it a password.
	u, err := url.Parse(o.databaseURL)
	if err != nil || !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme) || u.Host == "" {
		return errors.New("the database URL is not of the form postgres://person:password@host:5432/name; characters such as @ and / in a password are written %40 and %2F")
	}
	return nil
}

// shownDatabase is the application database as a log may name it.
func (o *options) shownDatabase() string {
	u, err := url.Parse(o.databaseURL)
	if o.databaseURL == "" || err != nil {
		return databaseFile
	}
	return "postgres://" + u.Host + u.Path
}

func (o *options) checkProxies() error {
	o.proxies = nil
	for _, text := range o.trustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			addr, addrErr := netip.ParseAddr(text)
			if addrErr != nil {
				return fmt.Errorf("trusted proxy %q is neither an address such as 10.0.0.7 nor a network such as 10.0.0.0/24", text)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		o.proxies = append(o.proxies, prefix)
	}
	return nil
}

// checkAddr refuses to send passwords and keys over a network in the clear,
// unless somebody says that it is meant.
func (o *options) checkAddr() error {
	host, port, err := net.SplitHostPort(o.addr)
	if err != nil {
		return fmt.Errorf("address %q is not of the form 127.0.0.1:3000", o.addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("address %q: the port is not a number from 0 to 65535", o.addr)
	}
	ip, err := netip.ParseAddr(host)
	if host == "localhost" || err == nil && ip.IsLoopback() || o.insecureHTTP || len(o.proxies) > 0 {
		return nil
	}
	return fmt.Errorf("%s can be reached from the network, and Sluice speaks plain http: passwords and keys would cross it readable. "+
		"Listen on 127.0.0.1, or put a proxy that speaks https in front and name its address with --trusted-proxy, "+
		"or give --insecure-http where the network itself is safe", o.addr)
}

func (o *options) checkRest() error {
	if o.logFormat != "text" && o.logFormat != "json" {
		return fmt.Errorf("log format %q is not one of text, json", o.logFormat)
	}
	if (o.adminEmail == "") != (o.adminPassword == "") {
		return errors.New("SLUICE_ADMIN_EMAIL and SLUICE_ADMIN_PASSWORD are needed together: set both, or neither and use the set-up link")
	}
	if o.data == "" {
		return errors.New("the data folder has no name: give one with --data")
	}
	return nil
}
