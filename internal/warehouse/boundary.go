package warehouse

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Boundary is what holds SQL of people inside of a database server: logins that
// may read views and nothing else, one statement at a time each. A view reads
// what a person may see from the lease of the login that runs it, which another
// login writes. The package dbrole makes the statements that set it up, and
// proves that it holds.
type Boundary struct {
	Name  string // that those of its logins and schemas begin with; of a to z, 0 to 9 and _
	Key   string // the secret that passwords are derived from
	Slots int    // logins for SQL of people: so many statements run at a time
}

// Owner is the role that the views belong to; nobody logs in as it.
func (b Boundary) Owner() string { return b.Name + "_owner" }

// Control is the login that writes leases, and views where it may.
func (b Boundary) Control() string { return b.Name + "_control" }

// Slot is the n-th login for SQL of people, from 1.
func (b Boundary) Slot(n int) string { return fmt.Sprintf("%s_slot_%02d", b.Name, n) }

// Home is the schema of the leases.
func (b Boundary) Home() string { return b.Name }

// Views is the schema of the views.
func (b Boundary) Views() string { return b.Name + "_views" }

// Valid tells whether it names logins at all. The zero value does not.
func (b Boundary) Valid() bool {
	return b.Name != "" && b.Key != "" && b.Slots > 0 && b.Slots <= MaxSlots
}

// BoundaryName is the name of a boundary that is drawn by some bytes.
func BoundaryName(drawn [4]byte) string { return "sluice_" + hex.EncodeToString(drawn[:]) }

// boundaryNames are the schemas of boundaries, of this server and of others.
// They are no tables of a database: a lease has in it what other people see.
const boundaryNames = "^sluice_[0-9a-f]{8}(_views)?$"

// MaxSlots is how many there may be: their numbers have two digits.
const MaxSlots = 99

// Password is that of one of its logins.
func (b Boundary) Password(login string) string {
	mac := hmac.New(sha256.New, []byte(b.Key))
	mac.Write([]byte("password of " + login))
	return hex.EncodeToString(mac.Sum(nil))
}

// Login is a connection of its own as some login of a server, for the package
// dbrole. What goes over it is written there and typed by nobody.
type Login struct{ loginSession }

// loginSession is how engines with logins do it. A null is "".
type loginSession interface {
	// Query runs one statement and gives its rows as text.
	Query(ctx context.Context, sql string, args ...string) ([][]string, error)
	// Exec runs a statement that gives no rows; with PostgreSQL it may be several.
	Exec(ctx context.Context, sql string) error
	Close()
}

// loginSource opens sessions as other logins than that of the details.
type loginSource interface {
	login(ctx context.Context, user, password string) (loginSession, error)
}

// Login connects as a login of the server; "" is the one of the connection
// details. An engine without logins is an *Error.
func (a *Admin) Login(ctx context.Context, user, password string) (*Login, error) {
	from, err := readDetails(a.db.Engine, a.db.Details, a.pool.log)
	if err != nil {
		return nil, err
	}
	s, is := from.(loginSource)
	if !is {
		return nil, &Error{Kind: Unusable, Message: "databases of the engine " + a.db.Engine + " have no logins"}
	}
	l, err := s.login(ctx, user, password)
	if err != nil {
		return nil, err
	}
	return &Login{l}, nil
}

// login is a connection to PostgreSQL as another login.
func (s *postgresServer) login(ctx context.Context, user, password string) (loginSession, error) {
	c, err := s.as(user, password).open(ctx)
	if err != nil {
		return nil, err
	}
	return postgresLogin{c.(*postgresConn)}, nil
}

// as is the server with another login.
func (s *postgresServer) as(user, password string) *postgresServer {
	if user == "" {
		return s
	}
	other := *s
	other.config = s.config.Copy()
	other.config.User, other.config.Password = user, password
	return &other
}

type postgresLogin struct{ c *postgresConn }

func (l postgresLogin) Close() { l.c.close() }

func (l postgresLogin) Exec(ctx context.Context, sql string) error {
	if err := l.c.exec(ctx, sql); err != nil {
		return l.c.judge(ctx, err)
	}
	return nil
}

func (l postgresLogin) Query(ctx context.Context, sql string, args ...string) ([][]string, error) {
	rows, err := l.c.texts(ctx, sql, args...)
	if err != nil {
		return nil, l.c.judge(ctx, err)
	}
	return rows, nil
}

// texts runs a statement of our own and gives its rows as text.
func (c *postgresConn) texts(ctx context.Context, sql string, args ...string) ([][]string, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	c.server.count.Add(1)
	r := c.pg.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	var rows [][]string
	for _, row := range r.Rows {
		texts := make([]string, len(row))
		for i, v := range row {
			texts[i] = string(v)
		}
		rows = append(rows, texts)
	}
	return rows, r.Err
}

// login is a connection to MySQL as another login.
func (s *mysqlServer) login(ctx context.Context, user, password string) (loginSession, error) {
	c, err := s.as(user, password).open(ctx)
	if err != nil {
		return nil, err
	}
	l := mysqlLogin{c.(*mysqlConn)}
	if err := l.Exec(ctx, "SET SESSION TRANSACTION READ WRITE"); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// as is the server with another login. It begins in no database: the one of the
// details is closed to slots, and naming it would keep them out.
func (s *mysqlServer) as(user, password string) *mysqlServer {
	if user == "" {
		return s
	}
	other := *s
	other.config = s.config.Clone()
	other.config.User, other.config.Passwd, other.config.DBName = user, password, ""
	return &other
}

type mysqlLogin struct{ c *mysqlConn }

func (l mysqlLogin) Close() { l.c.close() }

func (l mysqlLogin) Exec(ctx context.Context, sql string) error {
	if err := l.c.exec(ctx, sql); err != nil {
		return l.c.judge(ctx, err)
	}
	return nil
}

func (l mysqlLogin) Query(ctx context.Context, sql string, args ...string) (rows [][]string, err error) {
	values := make([]any, len(args))
	for i, a := range args {
		values[i] = a
	}
	err = l.c.each(ctx, sql, values, func(row []string) { rows = append(rows, append([]string(nil), row...)) })
	if err != nil {
		return nil, l.c.judge(ctx, err)
	}
	return rows, nil
}
