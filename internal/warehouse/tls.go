package warehouse

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// encryption says how a connection is secured, in the words of Metabase's
// option ssl-mode; "disable" without TLS.
type encryption struct {
	mode string
	root *x509.CertPool // nil for the certificates that the system trusts
	own  *tls.Certificate
}

// encryption reads the TLS options that PostgreSQL and MySQL share. The first
// of the modes is the one that holds when ssl is on and no mode is given.
func (o *options) encryption(modes ...string) encryption {
	on := o.flag("ssl")
	e := encryption{mode: o.choice("ssl-mode", modes...)}
	root := o.pem("ssl-root-cert")
	auth := o.flag("ssl-use-client-auth")
	cert, key := o.pem("ssl-client-cert"), o.pem("ssl-key")
	o.without("ssl-key-password-value", "client keys with a passphrase are not supported; give the key without one")
	if !on {
		return encryption{mode: "disable"}
	}
	if root != nil {
		e.trust(o, "ssl-root-cert", root)
		if e.mode == "require" { // a certificate to compare with is there to be compared with
			e.mode = "verify-ca"
		}
	}
	if auth {
		if len(cert) == 0 || len(key) == 0 {
			o.wrong("ssl-use-client-auth", "needs a client certificate and its key")
			return e
		}
		own, err := keyPair(cert, key)
		if err != nil {
			o.wrong("ssl-client-cert", "the client certificate and its key cannot be used: %v", err)
			return e
		}
		e.own = &own
	}
	return e
}

// trust makes a text of certificates those that the server's must be signed by.
func (e *encryption) trust(o *options, name string, text []byte) {
	e.root = x509.NewCertPool()
	if !e.root.AppendCertsFromPEM(text) {
		o.wrong(name, "this is not a certificate in PEM")
	}
}

// pem reads a certificate or key that is given in one of Metabase's ways: the
// path of a file of this server, or the text itself, which browsers send as a
// data URL. nil when it was not given.
func (o *options) pem(name string) []byte {
	how := o.choice(name+"-options", "", "local", "uploaded")
	path, value := o.text(name+"-path"), o.text(name+"-value")
	// What Metabase notes about a secret that it keeps.
	o.unused(name+"-id", name+"-source", name+"-creator-id", name+"-created-at")
	switch {
	case value != "" && how != "local":
		text, err := uploaded(value)
		if err != nil {
			o.wrong(name+"-value", "must be a text in PEM, or one in base64")
		}
		return text
	case path == "":
		return nil
	}
	o.files = append(o.files, path)
	const most = 1 << 20
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		err = errors.New("not a small file")
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		o.wrong(name+"-path", "the server cannot read the file %s", path)
	}
	return text
}

func uploaded(value string) ([]byte, error) {
	if strings.Contains(value, "-----BEGIN") {
		return []byte(value), nil
	}
	if strings.HasPrefix(value, "data:") {
		_, value, _ = strings.Cut(value, ",")
	}
	return base64.StdEncoding.DecodeString(strings.TrimSpace(value))
}

// keyPair takes the key in PEM or in DER.
func keyPair(cert, key []byte) (tls.Certificate, error) {
	if block, _ := pem.Decode(key); block == nil {
		key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	}
	return tls.X509KeyPair(cert, key)
}

// attempts are the ways to connect, in their order; nil is without TLS.
func (e encryption) attempts(host string) []*tls.Config {
	switch e.mode {
	case "disable":
		return []*tls.Config{nil}
	case "allow":
		return []*tls.Config{nil, e.config(host)}
	case "prefer":
		return []*tls.Config{e.config(host), nil}
	}
	return []*tls.Config{e.config(host)}
}

func (e encryption) config(host string) *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.root, ServerName: host}
	if e.own != nil {
		c.Certificates = []tls.Certificate{*e.own}
	}
	if e.mode == "verify-full" {
		return c
	}
	// The other modes encrypt without asking who the server is, as in libpq;
	// verify-ca asks whether its certificate is signed, whatever its name.
	c.InsecureSkipVerify = true
	if e.mode == "verify-ca" {
		c.VerifyConnection = func(s tls.ConnectionState) error {
			o := x509.VerifyOptions{Roots: e.root, Intermediates: x509.NewCertPool()}
			if len(s.PeerCertificates) == 0 {
				return errors.New("the server has no certificate")
			}
			for _, c := range s.PeerCertificates[1:] {
				o.Intermediates.AddCert(c)
			}
			_, err := s.PeerCertificates[0].Verify(o)
			return err
		}
	}
	if net.ParseIP(host) != nil {
		c.ServerName = ""
	}
	return c
}

// tlsTrouble tells what is wrong with TLS, if that is what an error is about.
func tlsTrouble(err error) *Error {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		verify  *tls.CertificateVerificationError
	)
	field := func(name, format string, args ...any) *Error { return detailError(name, err, format, args...) }
	switch {
	case errors.As(err, &unknown):
		return field("ssl-root-cert", "the server's certificate is not signed by one that is trusted; give the certificate of who signed it")
	case errors.As(err, &name):
		return field("ssl-mode", "the server's certificate is for another name: %s", name.Error())
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return field("ssl-mode", "the server's certificate is not valid at this time: %s", invalid.Error())
	case errors.As(err, &invalid), errors.As(err, &verify):
		return field("ssl-mode", "the server's certificate cannot be trusted: %s", err.Error())
	case errors.As(err, &alert):
		return field("ssl", "the server ended the TLS handshake: %s; it may want a client certificate (ssl-use-client-auth)", alert.Error())
	case errors.As(err, &record):
		return field("ssl", "what answers there does not speak TLS")
	}
	return nil
}

// endpoint is where a server is.
type endpoint struct {
	host string
	port uint16
}

func (e endpoint) String() string { return net.JoinHostPort(e.host, fmt.Sprint(e.port)) }
