package warehouse

import (
	"context"
	"errors"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func (s *postgresServer) enter(ctx context.Context, b Boundary, n int, by control) (session, error) {
	name := b.Slot(n)
	c, err := s.as(name, b.Password(name)).open(ctx)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "53300" && strings.Contains(pg.Message, "role") {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	p := c.(*postgresConn)
	p.boundary, p.gone = b.Name, by.forget
	return p, nil
}

// runLeased runs SQL of a person that is held to views. The first statement of
// the transaction takes its snapshot, so that the lease that it reads is the
// one that the views read, and so that it can be made no transaction that
// writes.
func (c *postgresConn) runLeased(ctx context.Context, t task, views string, ready func(nonce string) error, done func()) (*Rows, error) {
	r, err := c.begun(ctx, t, "repeatable read", func() error {
		if err := c.exec(ctx, "set local search_path = pg_catalog"); err != nil {
			return c.judge(ctx, err)
		}
		seen, err := c.texts(ctx, "select nonce from "+quoteIdent(views)+".lease")
		if err != nil {
			return c.judge(ctx, err)
		}
		return ready(strings.Join(slices.Concat(seen...), " "))
	}, done)
	return r, err
}

// judgeLeased is an error of SQL that is held to views or to a role as its
// person may know it.
func (c *postgresConn) judgeLeased(e *Error, pg *pgconn.PgError) *Error {
	say := func(kind Kind, message string) *Error { return failed(kind, message, e) }
	switch {
	case e.Kind == TimedOut || e.Kind == Unusable:
		return e
	case pg.Code == "42P01":
		if c.gone != nil {
			c.gone()
		}
		return say(Denied, wrongNames)
	case pg.Code == "42501", pg.Code[:2] == "25":
		return say(Denied, wrongNames)
	case pg.Code[:2] == "42" && tellable(pg.Message, `"`, c.sql, c.boundary, c.views):
		return say(Invalid, pg.Message)
	case pg.Code[:2] == "42":
		return say(Denied, wrongNames)
	case pg.Code == "22012":
		return say(Invalid, "a number is divided by zero")
	case pg.Code == "22003":
		return say(Invalid, "a number is out of the range of its type")
	case pg.Code[:3] == "220":
		return say(Invalid, "a value cannot be read or used as the SQL says: a cast, a date, or the argument of a function does not fit")
	case pg.Code == "21000":
		return say(Invalid, "a sub-select that stands for one value gives several rows")
	case pg.Code[:2] == "53", pg.Code[:2] == "54":
		return say(Failed, "the SQL needs more of the server than there is for it")
	}
	return say(Failed, wrongRun)
}

// postgresControl is the control login of PostgreSQL.
type postgresControl struct {
	keeper[*postgresConn]
	b Boundary
}

func (s *postgresServer) control(b Boundary) control {
	as := s.as(b.Control(), b.Password(b.Control()))
	return &postgresControl{b: b, keeper: keeper[*postgresConn]{open: func(ctx context.Context) (*postgresConn, error) {
		c, err := as.open(ctx)
		if err != nil {
			return nil, err
		}
		p := c.(*postgresConn)
		if err := p.exec(ctx, "set search_path = pg_catalog; set synchronous_commit = off; set default_transaction_read_only = off"); err != nil {
			p.close()
			return nil, p.judge(ctx, err)
		}
		return p, nil
	}}}
}

// lost tells that an error is one of the connection.
func (c *postgresConn) lost(err error) bool {
	var pg *pgconn.PgError
	return !errors.As(err, &pg) || c.pg.IsClosed()
}

func (p *postgresControl) grant(ctx context.Context, slot, nonce, grants string, lasts time.Duration) error {
	return p.use(ctx, func(c *postgresConn) error {
		_, err := c.texts(ctx, "insert into "+quoteIdent(p.b.Home())+`.lease (slot, nonce, grants, expires)
			values ($1, $2, $3, clock_timestamp() + $4::interval)
			on conflict (slot) do update set nonce = excluded.nonce, grants = excluded.grants, expires = excluded.expires`,
			slot, nonce, grants, strconv.FormatInt(lasts.Milliseconds(), 10)+" milliseconds")
		return err
	})
}

// revoke also takes away what others have left.
func (p *postgresControl) revoke(ctx context.Context, slot string) error {
	return p.use(ctx, func(c *postgresConn) error {
		_, err := c.texts(ctx, "delete from "+quoteIdent(p.b.Home())+".lease where slot = $1 or expires < clock_timestamp()", slot)
		return err
	})
}

func (p *postgresControl) there(ctx context.Context) ([][]string, error) {
	var there [][]string
	err := p.locked(ctx, func(c *postgresConn) (err error) {
		there, err = c.texts(ctx, "select relname from pg_class where relkind = 'v' and relnamespace = (select oid from pg_namespace where nspname = $1)", p.b.Views())
		return err
	})
	return there, err
}

func (p *postgresControl) ready(ctx context.Context, views []stayingView) error {
	lock := fnv.New32a()
	_, _ = lock.Write([]byte(p.b.Name))
	before := "begin; set local role " + quoteIdent(p.b.Owner()) + "; select pg_advisory_xact_lock(" + strconv.Itoa(int(lock.Sum32())) + "); "
	return p.have(ctx, views, p.there, p.viewSQL, func(c *postgresConn, sql string) error {
		err := c.exec(ctx, before+sql+"; commit")
		if err != nil && !c.pg.IsClosed() {
			_ = c.exec(context.WithoutCancel(ctx), "rollback")
		}
		return err
	})
}

func (p *postgresControl) viewSQL(v stayingView) string {
	return "CREATE OR REPLACE VIEW " + quoteIdent(p.b.Views()) + "." + quoteIdent(v.name) + " WITH (security_barrier) AS " + v.definition
}
