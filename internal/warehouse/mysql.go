package warehouse

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlServer is a warehouse in MySQL or MariaDB.
type mysqlServer struct {
	at     endpoint
	config *mysql.Config
	log    *slog.Logger
	count  *counter
}

// mysqlDetails reads the details of a MySQL or MariaDB database. Their names
// are those of Metabase; ssl-mode and client certificates are as for
// PostgreSQL.
func mysqlDetails(o *options, log *slog.Logger) (source, *Error) {
	s := &mysqlServer{log: log, count: new(counter)}
	s.at = endpoint{o.host("host"), o.port("port", 3306)}
	c := mysql.NewConfig()
	c.DBName, c.User, c.Passwd = o.required("dbname"), o.required("user"), o.text("password")
	secured := o.encryption("require", "verify-ca", "verify-full")
	if chain := o.text("ssl-cert"); chain != "" && secured.mode != "disable" {
		secured.trust(o, "ssl-cert", []byte(chain))
		if secured.mode == "require" {
			secured.mode = "verify-ca"
		}
	}
	o.server()
	if err := o.done(); err != nil {
		return nil, err
	}
	c.Net, c.Addr, c.TLS = "tcp", s.at.String(), secured.attempts(s.at.host)[0]
	c.Timeout = connectWithin
	c.Logger = &mysql.NopLogger{}
	c.CheckConnLiveness = false // alive asks
	// As they are by default; said here because all depends on them. A server
	// may ask its client for files, and must not get any.
	c.MultiStatements, c.AllowAllFiles, c.AllowCleartextPasswords, c.AllowOldPasswords, c.AllowFallbackToPlaintext = false, false, false, false, false
	c.InterpolateParams, c.ParseTime = false, false
	if err := c.Apply(mysql.Charset("utf8mb4", "")); err != nil {
		return nil, failed(Unusable, "the MySQL driver has no utf8mb4", err)
	}
	s.config = c
	return s, nil
}

// connect opens a connection with nothing set on it. at is where, "" for where
// the details say.
func (s *mysqlServer) connect(ctx context.Context, at string) (driver.Conn, *meter, error) {
	m := &meter{}
	c := s.config.Clone()
	c.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if at != "" {
			address = at
		}
		d := net.Dialer{Timeout: connectWithin, KeepAlive: time.Minute}
		conn, err := d.DialContext(ctx, network, address)
		m.Conn = conn
		return m, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*connectWithin)
	defer cancel()
	raw, err := connector.Connect(ctx)
	return raw, m, err
}

func (s *mysqlServer) open(ctx context.Context) (session, error) {
	raw, m, err := s.connect(ctx, "")
	if err != nil {
		return nil, s.diagnose(err)
	}
	c := &mysqlConn{server: s, raw: raw, meter: m, zone: time.UTC}
	err = c.exec(ctx, "SET SESSION TRANSACTION READ ONLY")
	if err == nil {
		err = c.exec(ctx, "SET time_zone = '+00:00'")
	}
	if err == nil {
		err = c.each(ctx, "SELECT CONNECTION_ID(), VERSION()", nil, func(v []string) {
			c.id, c.maria = v[0], strings.Contains(v[1], "MariaDB")
		})
	}
	if err == nil && c.id == "" {
		err = lost(nil)
	}
	if err != nil {
		c.close()
		return nil, s.diagnose(err)
	}
	return c, nil
}

// diagnose tells in plain words why there is no connection.
func (s *mysqlServer) diagnose(err error) error {
	c := s.config
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		switch my.Number {
		case 1045, 1698:
			return detailError("password", err, "the server refused the password of the user %s, or does not know the user", c.User)
		case 1044:
			return detailError("dbname", err, "the user %s may not use the database %s, or there is none: GRANT SELECT, SHOW VIEW ON %s.* TO %s", c.User, c.DBName, quoteTicks(c.DBName), quoteText(c.User))
		case 1049:
			return detailError("dbname", err, "there is no database %s on the server", c.DBName)
		case 1129, 1130:
			return detailError("host", err, "the server lets nobody in from here: %s", my.Message)
		case 1040, 1203, 1226:
			return detailError("host", err, "the server has no connection left: %s", my.Message)
		case 1251, 1524, 2059:
			return detailError("user", err, "the server wants the user %s to sign in by a method that is not supported: %s", c.User, my.Message)
		case 3159:
			return detailError("ssl", err, "the server lets nobody in without TLS: set ssl to true")
		}
		return detailError("host", err, "the server refused the connection: %s", my.Message)
	}
	if errors.Is(err, mysql.ErrNoTLS) {
		return detailError("ssl", err, "the server does not speak TLS; without it, set ssl to false")
	}
	if errors.Is(err, mysql.ErrCleartextPassword) || errors.Is(err, mysql.ErrOldPassword) || errors.Is(err, mysql.ErrUnknownPlugin) || errors.Is(err, mysql.ErrNativePassword) {
		return detailError("user", err, "the server wants the user %s to sign in by a method that is not safe or not supported", c.User)
	}
	if e := tlsTrouble(err); e != nil {
		return e
	}
	if e := unreachable(s.at, err); e != nil {
		return e
	}
	return detailError("host", err, "what answers at %s is not a MySQL server that can be used", s.at)
}

// mysqlConn is a connection to MySQL or MariaDB.
type mysqlConn struct {
	server *mysqlServer
	raw    driver.Conn
	meter  *meter
	id     string // of the connection, on the server
	maria  bool
	zone   *time.Location // of the session
	limit  int            // seconds that the server gives a statement; 0 is not set
	busy   bool           // a statement runs
	broken bool

	// Of a slot: the boundary's name, and of the statement that runs its text,
	// its views, and what is called when its transaction is over.
	boundary string
	sql      string
	views    []stayingView
	done     func()
	gone     func() // a view is not there any more

	role string // that the statement runs as; "" for the login's own
}

// meter is a connection to a server that bounds how much is read for one row:
// the driver has a row in memory before anybody can look at it.
type meter struct {
	net.Conn
	read atomic.Int64 // bytes since the last row
}

func (m *meter) Read(p []byte) (int, error) {
	if m.read.Load() > maxRowBytes {
		return 0, errors.New("the row is too large")
	}
	n, err := m.Conn.Read(p)
	m.read.Add(int64(n))
	return n, err
}

func (c *mysqlConn) alive(ctx context.Context, idle time.Duration) bool {
	if idle < time.Second {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, tidyWithin)
	defer cancel()
	return c.raw.(driver.Pinger).Ping(ctx) == nil
}

func (c *mysqlConn) spent() bool { return c.broken || !c.raw.(driver.Validator).IsValid() }

func (c *mysqlConn) close() {
	if c.busy { // the server works on something that nobody waits for
		c.kill()
	}
	_ = c.raw.Close()
}

// kill ends the connection on the server, and what runs on it: the server does
// not notice by itself that nobody listens any more. It goes to the very same
// server, and does not wait.
func (c *mysqlConn) kill() {
	c.broken = true
	if c.id == "" {
		return
	}
	at := c.meter.RemoteAddr().String()
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), tidyWithin)
		defer cancel()
		raw, _, err := c.server.connect(ctx, at)
		if err == nil {
			_, err = raw.(driver.ExecerContext).ExecContext(ctx, "KILL "+c.id, nil)
			_ = raw.Close()
		}
		var my *mysql.MySQLError
		if err != nil && (!errors.As(err, &my) || my.Number != 1094) { // 1094: it has gone already
			c.server.log.Warn("a statement could not be killed", "error", err)
		}
	}()
}

// exec runs a statement of our own that gives no rows.
func (c *mysqlConn) exec(ctx context.Context, sql string) error {
	c.server.count.Add(1)
	_, err := c.raw.(driver.ExecerContext).ExecContext(ctx, sql, nil)
	return err
}

// settle brings the session into the zone and bounds its statements by the
// context, in case this process is not there to end them.
func (c *mysqlConn) settle(ctx context.Context, zone *time.Location) error {
	if zone == nil {
		zone = time.UTC
	}
	limit := 0
	if end, ok := ctx.Deadline(); ok {
		limit = max(int(time.Until(end)/time.Second), 0) + 2
	}
	if limit != c.limit {
		bound := "max_execution_time = " + strconv.Itoa(limit*1000)
		if c.maria {
			bound = "max_statement_time = " + strconv.Itoa(limit)
		}
		if err := c.exec(ctx, "SET SESSION "+bound); err != nil && !unknownVariable(err) {
			return err
		}
		c.limit = limit
	}
	if zone.String() == c.zone.String() {
		return nil
	}
	name := zone.String()
	if name == "UTC" {
		name = "+00:00"
	}
	err := c.exec(ctx, "SET time_zone = "+quoteText(name))
	var my *mysql.MySQLError
	if errors.As(err, &my) && my.Number == 1298 {
		return failed(Failed, "the server does not know the time zone "+name+"; load its time zone tables (mysql_tzinfo_to_sql), or report in UTC", err)
	}
	if err == nil {
		c.zone = zone
	}
	return err
}

func unknownVariable(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == 1193
}

func (c *mysqlConn) run(ctx context.Context, t task) (*Rows, error) {
	return c.begun(ctx, t, func() error {
		if err := c.assume(ctx, t); err != nil || !t.native {
			return err
		}
		if err := c.exec(ctx, "START TRANSACTION READ ONLY"); err != nil {
			return c.judge(ctx, err)
		}
		return nil
	}, nil)
}

// begun runs a statement after ready, which begins its transaction. done, if
// any, is called when that is over, or was not begun.
func (c *mysqlConn) begun(ctx context.Context, t task, ready func() error, done func()) (_ *Rows, err error) {
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
		if err := readingOnly(t.sql, mysqlSQL); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, ended(ctx, nil)
	}
	r := &mysqlRows{conn: c, ctx: ctx, native: t.native, over: true}
	defer func() {
		if err != nil {
			r.end()
		}
	}()
	c.busy, begins, c.done, c.role = true, true, done, t.role
	if c.sql, c.views = t.sql, nil; t.leased != nil {
		c.views = t.leased.views
	}
	c.meter.read.Store(0)
	if err := c.settle(ctx, t.zone); err != nil {
		return nil, c.judge(ctx, err)
	}
	if err := ready(); err != nil {
		return nil, err
	}
	if err := r.start(t); err != nil {
		return nil, err
	}
	return startRows(ctx, r, len(r.columns), func() []Column { return r.columns })
}

// judge turns the driver's error into one of ours.
func (c *mysqlConn) judge(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return ended(ctx, err)
	}
	var ours *Error
	if errors.As(err, &ours) {
		return ours
	}
	var my *mysql.MySQLError
	if !errors.As(err, &my) {
		c.broken = true
		if c.meter.read.Load() > maxRowBytes {
			return tooLarge("row", maxRowBytes)
		}
		return lost(err)
	}
	if c.boundary != "" || c.role != "" {
		own := *c
		own.boundary, own.role = "", ""
		e := own.judge(ctx, err)
		c.broken = own.broken
		return c.judgeLeased(e, my)
	}
	switch my.Number {
	case 1969, 3024:
		return failed(TimedOut, "the statement took longer than it may", err)
	case 1317:
		return failed(Failed, "somebody ended the statement in the database", err)
	case 1044, 1045, 1142, 1143, 1227, 1370, 1345, // rights
		1146, 1049, 1109, // no such table or database
		1792: // a transaction that cannot write
		return failed(Denied, my.Message, err)
	case 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1927:
		c.broken = true
		return failed(Unusable, "the database closed the connection: "+my.Message, err)
	}
	switch state := string(my.SQLState[:2]); {
	case state == "42", state == "22", state == "21", state == "0A", my.Number == 1267, my.Number == 1271, my.Number == 1295:
		return failed(Invalid, my.Message, err)
	case state == "08":
		c.broken = true
		return lost(err)
	}
	return failed(Failed, my.Message, err)
}

// quoteTicks writes a name as MySQL reads it.
func quoteTicks(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// each runs a statement of our own and hands the text of each row to f.
func (c *mysqlConn) each(ctx context.Context, sql string, args []any, f func([]string)) error {
	c.meter.read.Store(0)
	r := &mysqlRows{conn: c, ctx: ctx, over: true}
	defer r.end()
	if err := r.start(task{sql: sql, args: args}); err != nil {
		return err
	}
	values, row := make([]any, len(r.columns)), make([]string, len(r.columns))
	for {
		switch err := r.next(values); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		for i, v := range values {
			if row[i] = ""; v != nil {
				row[i] = fmt.Sprint(v)
			}
		}
		f(row)
	}
}
