package warehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// How long a server may take to answer a call that asks it for no rows.
const (
	connectWithin = 10 * time.Second
	tidyWithin    = 5 * time.Second
	insistEvery   = 100 * time.Millisecond
	insistFor     = 20 * time.Second
)

// postgresServer is a warehouse in PostgreSQL.
type postgresServer struct {
	at     endpoint
	config *pgconn.Config
	filter schemaFilter
	log    *slog.Logger
	count  *counter
}

// postgresDetails reads the details of a PostgreSQL database. Their names are
// those of Metabase.
func postgresDetails(o *options, log *slog.Logger) (source, *Error) {
	s := &postgresServer{log: log, count: new(counter)}
	s.at = endpoint{o.host("host"), o.port("port", 5432)}
	database, user, password := o.required("dbname"), o.required("user"), o.text("password")
	s.filter = o.schemaFilter()
	secured := o.encryption("require", "allow", "prefer", "verify-ca", "verify-full")
	o.server()
	if err := o.done(); err != nil {
		return nil, err
	}
	// Everything that the driver would take from the environment or from files
	// of the server's user is set here or below.
	c, err := pgconn.ParseConfig(unconfigured)
	if err != nil {
		return nil, failed(Unusable, "the environment of the server keeps the PostgreSQL driver from working", err)
	}
	c.Host, c.Port, c.Database, c.User, c.Password = s.at.host, s.at.port, database, user, password
	attempts := secured.attempts(s.at.host)
	c.TLSConfig, c.Fallbacks = attempts[0], nil
	for _, t := range attempts[1:] {
		c.Fallbacks = append(c.Fallbacks, &pgconn.FallbackConfig{Host: c.Host, Port: c.Port, TLSConfig: t})
	}
	c.ConnectTimeout = connectWithin
	c.MaxProtocolMessageBodyLen = maxRowBytes
	c.DialFunc = (&net.Dialer{Timeout: connectWithin, KeepAlive: time.Minute}).DialContext
	c.LookupFunc = net.DefaultResolver.LookupHost
	// Settings that poolers between us and the server know too; the others go
	// into every transaction.
	c.RuntimeParams = map[string]string{"application_name": "Sluice", "client_encoding": "UTF8", "DateStyle": "ISO, MDY", "TimeZone": "UTC"}
	s.config = c
	return s, nil
}

// unconfigured takes away every setting that the driver has a variable for.
const unconfigured = "host=localhost port=5432 user=nobody password=none database=none sslmode=disable sslrootcert='' sslcert='' sslkey='' sslpassword=''" +
	" sslcertmode=allow sslnegotiation=postgres connect_timeout=10 target_session_attrs=any min_protocol_version='' max_protocol_version=''" +
	" channel_binding=prefer require_auth='' krbsrvname='' krbspn='' passfile='' servicefile=''"

// server reads the options that Metabase has for servers of every kind and
// that Sluice does without.
func (o *options) server() {
	o.without("tunnel-enabled", "SSH tunnels are not supported; give an address that the server can reach")
	o.unused("tunnel-host", "tunnel-port", "tunnel-user", "tunnel-auth-option", "tunnel-pass", "tunnel-private-key", "tunnel-private-key-passphrase")
	o.without("use-auth-provider", "authentication providers are not supported; give a user and a password")
	o.unused("auth-provider", "advanced-options", "let-user-control-scheduling", "json-unfolding")
	o.without("additional-options", "options for drivers cannot be given")
	o.without("destination-database", "database routing is not supported")
	o.without("role", "roles to switch to are not supported")
}

func (s *postgresServer) open(ctx context.Context) (session, error) {
	c, err := pgconn.ConnectConfig(ctx, s.config)
	if err != nil {
		return nil, s.diagnose(err)
	}
	return &postgresConn{server: s, pg: c}, nil
}

// diagnose tells in plain words why there is no connection.
func (s *postgresServer) diagnose(err error) error {
	c := s.config
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "28P01":
			return detailError("password", err, "the server refused the password of the user %s, or does not know the user", c.User)
		case "28000":
			if strings.Contains(pg.Message, "pg_hba.conf") {
				return detailError("user", err, "the server lets the user %s into the database %s not from here, or only with TLS (ssl): %s", c.User, c.Database, pg.Message)
			}
			return detailError("user", err, "the server refused the user %s: %s", c.User, pg.Message)
		case "3D000":
			return detailError("dbname", err, "there is no database %s on the server", c.Database)
		case "42501":
			return detailError("dbname", err, "the user %s may not connect to the database %s: GRANT CONNECT ON DATABASE %s TO %s", c.User, c.Database, quoteIdent(c.Database), quoteIdent(c.User))
		case "53300":
			return detailError("host", err, "the server has no connection left: %s", pg.Message)
		case "57P03":
			return detailError("host", err, "the server is starting, stopping or recovering: %s", pg.Message)
		}
		return detailError("host", err, "the server refused the connection: %s", pg.Message)
	}
	if e := tlsTrouble(err); e != nil {
		return e
	}
	if strings.Contains(err.Error(), "server refused TLS") {
		return detailError("ssl", err, "the server does not speak TLS; without it, set ssl to false")
	}
	if e := unreachable(s.at, err); e != nil {
		return e
	}
	return detailError("host", err, "what answers at %s is not a PostgreSQL server that can be used", s.at)
}

// postgresConn is a connection to PostgreSQL.
type postgresConn struct {
	server *postgresServer
	pg     *pgconn.PgConn
	busy   bool // a statement runs
	broken bool
	zone   string // that the settings of the session are made for; "" before they are

	// Of a slot: the boundary's name, and of the statement that runs its text,
	// its views, and what is called when its transaction is over.
	boundary string
	sql      string
	views    []stayingView
	done     func()
	gone     func() // a view is not there any more

	role string // that the statement runs as; "" for the login's own
}

func (c *postgresConn) alive(ctx context.Context, idle time.Duration) bool {
	if c.pg.IsClosed() {
		return false
	}
	if idle < time.Second {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, tidyWithin)
	defer cancel()
	_, err := c.pg.Exec(ctx, "-- is anybody there").ReadAll()
	return err == nil
}

func (c *postgresConn) spent() bool { return c.broken || c.pg.IsClosed() }

func (c *postgresConn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.pg.Close(ctx) // the socket goes in any case
}

// insist has the server end what it does for this connection, which the driver
// is closing because a context ended. The driver asks once; the server passes
// over what reaches it before the statement does, which it would then run to
// its end for nobody.
func (c *postgresConn) insist() {
	c.broken = true
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), insistFor)
		defer cancel()
		tick := time.NewTicker(insistEvery)
		defer tick.Stop()
		for {
			select {
			case <-c.pg.CleanupDone(): // the server has closed its side
				return
			case <-ctx.Done():
				c.server.log.Warn("a statement could not be cancelled")
				return
			case <-tick.C:
				if err := c.pg.CancelRequest(ctx); err != nil && ctx.Err() == nil {
					c.server.log.Warn("cancelling a statement", "error", err)
				}
			}
		}
	}()
}

// exec runs statements of our own that give no rows.
func (c *postgresConn) exec(ctx context.Context, sql string) error {
	c.server.count.Add(1)
	_, err := c.pg.Exec(ctx, sql).ReadAll()
	return err
}

// begin opens a transaction that cannot write, with the settings that the
// values are read under. The server itself ends a statement that outlives its
// context, should this process not be there to.
func (c *postgresConn) begin(ctx context.Context, isolation string, zone *time.Location) error {
	timeout := 0
	if end, ok := ctx.Deadline(); ok {
		timeout = int(max(time.Until(end)+time.Second, time.Second).Milliseconds())
	}
	name := "UTC"
	if zone != nil {
		name = zone.String()
	}
	if c.zone != name { // not in the transaction, whose end would undo it
		if err := c.exec(ctx, "set timezone = "+quoteText(name)+"; set lc_monetary = 'C'; set extra_float_digits = 1; set bytea_output = 'hex'; set intervalstyle = 'postgres'"); err != nil {
			return err
		}
		c.zone = name
	}
	return c.exec(ctx, "begin transaction isolation level "+isolation+" read only; set local statement_timeout = "+strconv.Itoa(timeout))
}

// rollback ends the transaction. After SQL that a person wrote everything that
// such SQL can leave behind in a session goes too: locks, settings, listening.
func (c *postgresConn) rollback(ctx context.Context, native bool) {
	c.busy, c.role = false, ""
	if c.done != nil {
		defer c.done()
		c.done = nil
	}
	if c.pg.IsClosed() {
		c.insist()
	}
	if c.broken {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyWithin)
	defer cancel()
	err := c.exec(ctx, "rollback")
	if err == nil && native {
		c.zone = ""
		err = c.exec(ctx, "discard all")
	}
	if err != nil {
		c.server.log.Warn("ending a transaction", "error", err)
		c.broken = true
	}
}

func (c *postgresConn) run(ctx context.Context, t task) (*Rows, error) {
	return c.begun(ctx, t, "read committed", func() error { return c.assume(ctx, t) }, nil)
}

// begun runs a statement in a transaction of its own, in which ready is called
// first. done, if any, is called when that is over, or was not begun.
func (c *postgresConn) begun(ctx context.Context, t task, isolation string, ready func() error, done func()) (_ *Rows, err error) {
	begins := false
	defer func() {
		if !begins && done != nil {
			done()
		}
	}()
	if c.busy || c.broken {
		return nil, errors.New("warehouse: the connection is in use")
	}
	if t.native {
		if err := readingOnly(t.sql, postgresSQL); err != nil {
			return nil, err
		}
	}
	values, types, err := postgresArgs(t.args, t.texts)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, nil)
	}
	c.busy, begins, c.done, c.role = true, true, done, t.role
	if c.sql, c.views = t.sql, nil; t.leased != nil {
		c.views = t.leased.views
	}
	if err := c.begin(ctx, isolation, t.zone); err != nil {
		c.rollback(ctx, false)
		return nil, c.judge(ctx, err)
	}
	if err := ready(); err != nil {
		c.rollback(ctx, true)
		return nil, err
	}
	r := &postgresRows{conn: c, ctx: ctx, native: t.native}
	running, stop := context.WithCancel(ctx)
	r.stop = stop
	c.server.count.Add(1)
	// The extended protocol takes exactly one statement.
	r.reader = c.pg.ExecParams(running, t.sql, values, types, nil, nil)
	r.prepare()
	return startRows(ctx, r, len(r.columns), func() []Column { return r.columns })
}

// untyped tells of an error of a statement in which nothing says what type an
// argument has, as in concat('%', $1).
func untyped(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "42P18"
}

// judge turns the driver's error into one of ours.
func (c *postgresConn) judge(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return ended(ctx, err)
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		c.broken = true
		var large *pgproto3.ExceededMaxBodyLenErr
		if errors.As(err, &large) {
			return tooLarge("row", maxRowBytes)
		}
		return lost(err)
	}
	if c.boundary != "" || c.role != "" {
		own := *c
		own.boundary, own.role = "", ""
		e := own.judge(ctx, err)
		c.broken = own.broken
		return c.judgeLeased(e, pg)
	}
	message := pg.Message
	if pg.Position > 0 {
		message += fmt.Sprintf(" (at character %d)", pg.Position)
	}
	switch pg.Code {
	case "57014":
		if strings.Contains(pg.Message, "statement timeout") {
			return failed(TimedOut, "the statement took longer than it may", err)
		}
		return failed(Failed, "somebody cancelled the statement in the database", err)
	case "42501", "42P01", "3F000", "25006":
		return failed(Denied, message, err)
	case "57P01", "57P02", "57P03", "57P05", "25P03":
		c.broken = true
		return failed(Unusable, "the database closed the connection: "+pg.Message, err)
	}
	switch pg.Code[:2] {
	case "25": // what a transaction that only reads does not let happen
		return failed(Denied, message, err)
	case "42", "22", "21", "0A", "54", "2F", "38", "39":
		return failed(Invalid, message, err)
	case "08":
		c.broken = true
		return lost(err)
	}
	return failed(Failed, message, err)
}

// quoteIdent writes a name as PostgreSQL reads it.
func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText writes a text as a literal.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
