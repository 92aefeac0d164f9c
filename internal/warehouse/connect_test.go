package warehouse

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// try is the error of trying details.
func try(t *testing.T, engine string, details map[string]any) error {
	t.Helper()
	raw, err := json.Marshal(details)
	if err != nil {
		t.Fatal(err)
	}
	return New(nil).Try(t.Context(), engine, raw)
}

func servers(t *testing.T, f func(t *testing.T, p *place)) {
	t.Helper()
	for _, engine := range []string{"postgres", "mysql"} {
		t.Run(engine, func(t *testing.T) { f(t, newPlace(t, engine)) })
	}
}

func TestWhatIsWrongWithAConnectionIsToldPlainly(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := closed.Addr().(*net.TCPAddr).Port
	closed.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0") // speaks something else
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
			c.Close()
		}
	}()
	servers(t, func(t *testing.T, p *place) {
		p.server.Login(t, "login_"+p.name)
		mine := p.with(map[string]any{"user": "login_" + p.name, "password": "secret"})
		if p.engine == "postgres" {
			p.exec(t, "REVOKE CONNECT ON DATABASE "+p.name+" FROM public")
		}
		for _, tt := range []struct {
			name        string
			changes     map[string]any
			field, says string
		}{
			{"the host is not known", map[string]any{"host": "no-such-host.invalid"}, "host", "is not known"},
			{"nothing listens", map[string]any{"port": nobody}, "port", "nothing listens"},
			{"something else answers", map[string]any{"port": other.Addr().(*net.TCPAddr).Port}, "host", "server that can be used"},
			{"the password is refused", map[string]any{"password": "wrong"}, "password", "refused the password"},
			{"there is no such user", map[string]any{"user": "nobody_" + p.name}, "password", "does not know the user"},
			{"the login may not enter", nil, "dbname", "GRANT"},
			{"there is no such database", map[string]any{"dbname": "none_" + p.name, "user": p.server.Admin, "password": nil}, "dbname", "there is no database"},
		} {
			d := map[string]any{}
			for k, v := range mine {
				d[k] = v
			}
			for k, v := range tt.changes {
				d[k] = v
			}
			e := is(t, try(t, p.engine, d), Unusable)
			if e.Field != tt.field && !(tt.name == "something else answers" && e.Field == "port") {
				t.Errorf("%s: it is %s, not %s: %v", tt.name, e.Field, tt.field, e)
			}
			if !strings.Contains(e.Message, tt.says) && tt.name != "something else answers" {
				t.Errorf("%s: %q does not say %q", tt.name, e.Message, tt.says)
			}
			if strings.Contains(e.Error(), "secret") || strings.Contains(e.Error(), "wrong") {
				t.Errorf("%s: it tells the password: %v", tt.name, e)
			}
		}
		if err := try(t, p.engine, p.details); err != nil {
			t.Errorf("with nothing wrong: %v", err)
		}
		if p.engine == "postgres" {
			p.exec(t, "GRANT CONNECT ON DATABASE "+p.name+" TO login_"+p.name)
			t.Cleanup(func() {
				_ = p.server.Try(context.Background(), "", "DROP OWNED BY login_"+p.name, "DROP ROLE login_"+p.name)
			})
		} else {
			p.exec(t, "GRANT SELECT ON "+p.name+".* TO login_"+p.name)
		}
		if err := try(t, p.engine, mine); err != nil {
			t.Errorf("after what it said to grant: %v", err)
		}
	})
}

func TestServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, engine := range []string{"postgres", "mysql"} {
		raw, err := json.Marshal(map[string]any{"host": "127.0.0.1", "port": silent.Addr().(*net.TCPAddr).Port, "dbname": "d", "user": "u"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		_ = is(t, New(nil).Try(ctx, engine, raw), TimedOut)
		cancel()
	}
}

func TestTLSIsAsStrictAsItsMode(t *testing.T) {
	other, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	servers(t, func(t *testing.T, p *place) {
		ca := string(p.server.CA)
		file := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(file, p.server.CA, 0o600); err != nil {
			t.Fatal(err)
		}
		data := "data:application/x-x509-ca-cert;base64," + base64.StdEncoding.EncodeToString(p.server.CA)
		for _, tt := range []struct {
			name    string
			changes map[string]any
			field   string // "" when it connects
		}{
			{"without asking who it is", map[string]any{}, ""},
			{"require", map[string]any{"ssl-mode": "require"}, ""},
			{"with the authority", map[string]any{"ssl-mode": "verify-ca", "ssl-root-cert-value": ca}, ""},
			{"with the authority in a file", map[string]any{"ssl-mode": "verify-ca", "ssl-root-cert-options": "local", "ssl-root-cert-path": file}, ""},
			{"with the authority from a browser", map[string]any{"ssl-mode": "verify-full", "ssl-root-cert-options": "uploaded", "ssl-root-cert-value": data}, ""},
			{"with the authority and the name", map[string]any{"ssl-mode": "verify-full", "ssl-root-cert-value": ca}, ""},
			{"with another authority", map[string]any{"ssl-mode": "verify-ca", "ssl-root-cert-value": other}, "ssl-root-cert"},
			{"require, with another authority", map[string]any{"ssl-mode": "require", "ssl-root-cert-value": other}, "ssl-root-cert"},
			{"with those that the system trusts", map[string]any{"ssl-mode": "verify-full"}, "ssl-root-cert"},
			{"with the authority under another name", map[string]any{"ssl-mode": "verify-ca", "ssl-root-cert-value": ca, "host": "localhost"}, ""},
			{"with the name under another name", map[string]any{"ssl-mode": "verify-full", "ssl-root-cert-value": ca, "host": "localhost"}, "ssl-mode"},
			{"with a client's certificate", map[string]any{"ssl-use-client-auth": true, "ssl-client-cert-value": string(p.server.ClientCert), "ssl-key-value": string(p.server.ClientKey)}, ""},
			{"with a client's certificate and another key", map[string]any{"ssl-use-client-auth": true, "ssl-client-cert-value": ca, "ssl-key-value": string(p.server.ClientKey)}, "ssl-client-cert"},
		} {
			tt.changes["ssl"] = true
			err := try(t, p.engine, p.with(tt.changes))
			if tt.field == "" && err != nil {
				t.Errorf("%s: %v", tt.name, err)
			} else if tt.field != "" {
				if e := is(t, err, Unusable); e.Field != tt.field {
					t.Errorf("%s: %v", tt.name, e)
				}
			}
		}
		secured := p.the(map[string]string{"postgres": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "mysql": "SHOW SESSION STATUS LIKE 'Ssl_cipher'"})
		for _, on := range []bool{true, false} {
			p.open(t, p.with(map[string]any{"ssl": on}))
			_, rows, err := p.ask(t.Context(), p.native(secured))
			if err != nil {
				t.Fatal(err)
			}
			if last := rows[0][len(rows[0])-1]; (last != false && last != "") != on {
				t.Errorf("with ssl %v the server says %v", on, rows)
			}
		}
		// What ends a statement goes over TLS as well.
		p.open(t, p.with(map[string]any{"ssl": true, "ssl-mode": "verify-full", "ssl-root-cert-value": ca}))
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, _, err := p.ask(ctx, p.native(p.the(endlessWork)))
		_ = is(t, err, TimedOut)
		p.quiet(t)
	})
	t.Run("ssl-cert of mysql", func(t *testing.T) {
		p := newPlace(t, "mysql")
		if err := try(t, "mysql", p.with(map[string]any{"ssl": true, "ssl-cert": string(p.server.CA)})); err != nil {
			t.Error(err)
		}
		if e := is(t, try(t, "mysql", p.with(map[string]any{"ssl": true, "ssl-cert": other})), Unusable); e.Field != "ssl-root-cert" {
			t.Error(e)
		}
	})
	t.Run("fallbacks of postgres", func(t *testing.T) {
		p := newPlace(t, "postgres")
		for mode, want := range map[string]bool{"allow": false, "prefer": true} {
			p.open(t, p.with(map[string]any{"ssl": true, "ssl-mode": mode}))
			if got := p.one(t, p.native("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")); got != want {
				t.Errorf("%s: %v", mode, got)
			}
		}
	})
}

// A server that is not what it seems may ask its client for a file, in answer
// to any statement.
func TestServerGetsNoFileOfOurs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(file, []byte("swordfish"), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	got := make(chan []byte, 1)
	go func() {
		c, err := listener.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		got <- rogue(c, file)
	}()
	err = try(t, "mysql", map[string]any{"host": "127.0.0.1", "port": listener.Addr().(*net.TCPAddr).Port, "dbname": "d", "user": "u"})
	if err == nil {
		t.Error("it connected")
	}
	if sent := <-got; len(sent) != 0 {
		t.Errorf("the server was sent %q", sent)
	}
}

// rogue speaks as a MySQL server up to the first statement, asks for the file
// then, and gives what it got.
func rogue(c net.Conn, file string) []byte {
	send := func(seq byte, body []byte) {
		head := []byte{byte(len(body)), byte(len(body) >> 8), byte(len(body) >> 16), seq}
		_, _ = c.Write(append(head, body...))
	}
	receive := func() []byte {
		var head [4]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return nil
		}
		body := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
		if _, err := io.ReadFull(c, body); err != nil {
			return nil
		}
		return body
	}
	// Protocol 10, a version, an id, a challenge of 20 bytes, and the
	// abilities: protocol 4.1, secure connection, local files, plugins.
	hello := append([]byte{10}, "8.0.0\x00"...)
	hello = binary.LittleEndian.AppendUint32(hello, 7)
	hello = append(hello, "12345678\x00"...)
	abilities := uint32(0x00000200 | 0x00008000 | 0x00000080 | 0x00080000 | 0x00000008)
	hello = binary.LittleEndian.AppendUint16(hello, uint16(abilities))
	hello = append(hello, 45, 2, 0)
	hello = binary.LittleEndian.AppendUint16(hello, uint16(abilities>>16))
	hello = append(hello, 21)
	hello = append(hello, make([]byte, 10)...)
	hello = append(hello, "123456789012\x00mysql_native_password\x00"...)
	send(0, hello)
	if receive() == nil {
		return nil
	}
	ok := []byte{0, 0, 0, 2, 0, 0, 0}
	send(2, ok)
	if receive() == nil { // the first statement
		return nil
	}
	send(1, append([]byte{0xfb}, file...))
	return receive()
}

// selfSigned is a certificate that nobody else signed.
func selfSigned() (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), err
}
