package warehouse

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// slotModes is the SQL mode that what the gate prints is meant for.
const slotModes = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// enter connects as a slot and takes a lock in its name: the account may have a
// second connection, with which a statement is ended.
func (s *mysqlServer) enter(ctx context.Context, b Boundary, n int, by control) (session, error) {
	name := b.Slot(n)
	as := s.as(name, b.Password(name))
	opened, err := as.open(ctx)
	var my *mysql.MySQLError
	if errors.As(err, &my) && (my.Number == 1226 || my.Number == 1203) {
		return nil, errTaken
	}
	if err != nil {
		return nil, err
	}
	c := opened.(*mysqlConn)
	has := ""
	err = c.each(ctx, "SELECT GET_LOCK(?, 0)", []any{name}, func(row []string) { has = row[0] })
	if err == nil && has != "1" {
		c.close()
		return nil, errTaken
	}
	for _, sql := range []string{"SET sql_mode = " + quoteText(slotModes), "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"} {
		if err == nil {
			err = c.exec(ctx, sql)
		}
	}
	if err != nil {
		c.close()
		return nil, c.judge(ctx, err)
	}
	c.boundary, c.gone = b.Name, by.forget
	return c, nil
}

// runLeased runs SQL of a person that is held to views. The transaction has one
// snapshot from its beginning on, so that the lease that is read is the one that
// the views read.
func (c *mysqlConn) runLeased(ctx context.Context, t task, views string, ready func(nonce string) error, done func()) (*Rows, error) {
	return c.begun(ctx, t, func() error {
		if err := c.exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
			return c.judge(ctx, err)
		}
		var seen []string
		own := *c // reading this ends nothing
		own.done = nil
		if err := own.each(ctx, "SELECT nonce FROM "+quoteTicks(views)+".lease", nil, func(row []string) { seen = append(seen, row...) }); err != nil {
			return c.judge(ctx, err)
		}
		return ready(strings.Join(seen, " "))
	}, done)
}

// judgeLeased is an error of SQL that is held to views or to a role as its
// person may know it.
func (c *mysqlConn) judgeLeased(e *Error, my *mysql.MySQLError) *Error {
	say := func(kind Kind, message string) *Error { return failed(kind, message, e) }
	state := string(my.SQLState[:2])
	switch {
	case e.Kind == TimedOut || e.Kind == Unusable:
		return e
	case my.Number == 1146, my.Number == 1356: // no such view, or one over what has gone
		if c.gone != nil {
			c.gone()
		}
		return say(Denied, wrongNames)
	case e.Kind == Denied:
		return say(Denied, wrongNames)
	case state == "42" && tellable(my.Message, "'", c.sql, c.boundary, c.views):
		return say(Invalid, my.Message)
	case state == "42":
		return say(Denied, wrongNames)
	case my.Number == 1242:
		return say(Invalid, "a sub-select that stands for one value gives several rows")
	case state == "22":
		return say(Invalid, "a value cannot be read or used as the SQL says: a cast, a date, or the argument of a function does not fit")
	}
	return say(Failed, wrongRun)
}

// mysqlControl is the control login of MariaDB: with one connection for leases,
// and another for views, which can wait for a lock.
type mysqlControl struct {
	shelf
	leases, makes *keeper[*mysqlConn]
	b             Boundary
}

func (s *mysqlServer) control(b Boundary) control {
	as := s.as(b.Control(), b.Password(b.Control()))
	keep := func() *keeper[*mysqlConn] {
		return &keeper[*mysqlConn]{turn: make(chan struct{}, 1), open: func(ctx context.Context) (*mysqlConn, error) {
			opened, err := as.open(ctx)
			if err != nil {
				return nil, err
			}
			c := opened.(*mysqlConn)
			for _, sql := range []string{"SET SESSION TRANSACTION READ WRITE", "SET sql_mode = " + quoteText(slotModes), "SET lock_wait_timeout = 2"} {
				if err := c.exec(ctx, sql); err != nil {
					c.close()
					return nil, c.judge(ctx, err)
				}
			}
			return c, nil
		}}
	}
	return &mysqlControl{b: b, leases: keep(), makes: keep()}
}

func (p *mysqlControl) close() {
	p.leases.close()
	p.makes.close()
}

// lost tells that an error is one of the connection.
func (c *mysqlConn) lost(err error) bool {
	var my *mysql.MySQLError
	return !errors.As(err, &my) || c.spent()
}

func (p *mysqlControl) lease() string { return quoteTicks(p.b.Home()) + ".lease" }

func (p *mysqlControl) grant(ctx context.Context, slot, nonce, grants string, lasts time.Duration) error {
	return p.leases.use(ctx, func(c *mysqlConn) error {
		return c.each(ctx, "REPLACE INTO "+p.lease()+" (slot, nonce, `grants`, expires) VALUES (?, ?, ?, UTC_TIMESTAMP(6) + INTERVAL ? MICROSECOND)",
			[]any{slot, nonce, grants, strconv.FormatInt(lasts.Microseconds(), 10)}, func([]string) {})
	})
}

// revoke also takes away what others have left.
func (p *mysqlControl) revoke(ctx context.Context, slot string) error {
	return p.leases.use(ctx, func(c *mysqlConn) error {
		return c.each(ctx, "DELETE FROM "+p.lease()+" WHERE slot = ? OR expires < UTC_TIMESTAMP(6)", []any{slot}, func([]string) {})
	})
}

func (p *mysqlControl) ready(ctx context.Context, views []stayingView) error {
	return p.have(views, func() (there [][]string, err error) {
		err = p.makes.use(ctx, func(c *mysqlConn) error {
			there = nil
			return c.each(ctx, "SELECT table_name FROM information_schema.views WHERE table_schema = ?", []any{p.b.Views()}, func(row []string) { there = append(there, slices.Clone(row)) })
		})
		return there, err
	}, func(v stayingView) string {
		return "CREATE OR REPLACE DEFINER = " + quoteText(p.b.Control()) + "@'%' SQL SECURITY DEFINER VIEW " +
			quoteTicks(p.b.Views()) + "." + quoteTicks(v.name) + " AS " + v.definition
	}, func(sql string) error {
		return p.makes.use(ctx, func(c *mysqlConn) error { return c.exec(ctx, sql) })
	})
}
