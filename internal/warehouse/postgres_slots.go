package warehouse

import (
	"context"
	"errors"
	"hash/fnv"
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
		names := make([]string, len(c.views))
		for i, v := range c.views {
			names[i] = v.name
		}
		seen, err := c.texts(ctx, "select (select nonce from "+quoteIdent(views)+".lease), (select count(*) from "+intactViews+" and c.relname = any (string_to_array($2, ',')))", views, strings.Join(names, ","))
		switch {
		case err != nil:
			return c.judge(ctx, err)
		case len(seen) != 1 || seen[0][1] != strconv.Itoa(len(names)):
			return errOtherViews
		}
		return ready(seen[0][0])
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

// intactViews are the views of the schema $1 that are as they were made. A view
// is bound to the tables and columns that it was made with, whatever they are
// called later; its text follows, and is no longer what its comment says.
const intactViews = `pg_class c where c.relkind = 'v' and c.relnamespace = (select oid from pg_namespace where nspname = $1)
	and md5(pg_get_viewdef(c.oid)) = obj_description(c.oid, 'pg_class')`

// postgresControl is the control login of PostgreSQL: with one connection for
// leases, and another for views, which can wait for a lock.
type postgresControl struct {
	shelf
	leases, makes *keeper[*postgresConn]
	b             Boundary
}

func (s *postgresServer) control(b Boundary) control {
	as := s.as(b.Control(), b.Password(b.Control()))
	keep := func() *keeper[*postgresConn] {
		return &keeper[*postgresConn]{turn: make(chan struct{}, 1), open: func(ctx context.Context) (*postgresConn, error) {
			c, err := as.open(ctx)
			if err != nil {
				return nil, err
			}
			p := c.(*postgresConn)
			if err := p.exec(ctx, "set search_path = pg_catalog; set synchronous_commit = off; set default_transaction_read_only = off; set lock_timeout = '"+lockWithin+"'; set quote_all_identifiers = off"); err != nil {
				p.close()
				return nil, p.judge(ctx, err)
			}
			return p, nil
		}}
	}
	return &postgresControl{b: b, leases: keep(), makes: keep()}
}

// lockWithin is how long making a view waits for a lock on what it reads.
const lockWithin = "2s"

func (p *postgresControl) close() {
	p.leases.close()
	p.makes.close()
}

// lost tells that an error is one of the connection.
func (c *postgresConn) lost(err error) bool {
	var pg *pgconn.PgError
	return !errors.As(err, &pg) || c.pg.IsClosed()
}

func (p *postgresControl) grant(ctx context.Context, slot, nonce, grants string, lasts time.Duration) error {
	return p.leases.use(ctx, func(c *postgresConn) error {
		_, err := c.texts(ctx, "insert into "+quoteIdent(p.b.Home())+`.lease (slot, nonce, grants, expires)
			values ($1, $2, $3, clock_timestamp() + $4::interval)
			on conflict (slot) do update set nonce = excluded.nonce, grants = excluded.grants, expires = excluded.expires`,
			slot, nonce, grants, strconv.FormatInt(lasts.Milliseconds(), 10)+" milliseconds")
		return err
	})
}

// revoke also takes away what others have left.
func (p *postgresControl) revoke(ctx context.Context, slot string) error {
	return p.leases.use(ctx, func(c *postgresConn) error {
		_, err := c.texts(ctx, "delete from "+quoteIdent(p.b.Home())+".lease where slot = $1 or expires < clock_timestamp()", slot)
		return err
	})
}

func (p *postgresControl) ready(ctx context.Context, views []stayingView) error {
	lock := fnv.New32a()
	_, _ = lock.Write([]byte(p.b.Name))
	before := "begin; set local role " + quoteIdent(p.b.Owner()) + "; select pg_advisory_xact_lock(" + strconv.Itoa(int(lock.Sum32())) + "); "
	return p.have(views, func() (there [][]string, err error) {
		err = p.makes.use(ctx, func(c *postgresConn) (err error) {
			there, err = c.texts(ctx, "select c.relname from "+intactViews, p.b.Views())
			return err
		})
		return there, err
	}, p.viewSQL, func(sql string) error {
		return p.makes.use(ctx, func(c *postgresConn) error {
			err := c.exec(ctx, before+sql+"; commit")
			if err != nil && !c.pg.IsClosed() {
				_ = c.exec(context.WithoutCancel(ctx), "rollback")
			}
			return err
		})
	})
}

// viewSQL makes a view anew, and notes in its comment as what.
func (p *postgresControl) viewSQL(v stayingView) string {
	name := quoteIdent(p.b.Views()) + "." + quoteIdent(v.name)
	return "DROP VIEW IF EXISTS " + name + "; CREATE VIEW " + name + " WITH (security_barrier) AS " + v.definition +
		"; DO $do$ BEGIN EXECUTE format('COMMENT ON VIEW " + strings.ReplaceAll(name, "'", "''") + " IS %L', md5(pg_get_viewdef(" + quoteText(name) + "::regclass))); END $do$"
}
