package dbrole

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// How long the doctor waits for a slot that is in use, how often it asks, and
// how long it takes to remove its lease after all else.
var freeWithin = 10 * time.Second // tests wait for less

const (
	askEvery    = 100 * time.Millisecond
	passOver    = time.Second // how long for a slot in MariaDB while another was free
	tidyWithin  = 10 * time.Second
	queryWithin = 20 * time.Second // for what must be answered at once
)

// ErrBusy is the error of a doctor that no slot was free for.
var ErrBusy = errors.New("dbrole: no slot was free for the doctor; try again")

// answer is what became of an attempt to sign in.
type answer uint8

const (
	refused answer = iota
	in
	busy
)

// signIn signs in as a login of the boundary. The error is of what says
// nothing about the login.
func signIn(ctx context.Context, admin *warehouse.Admin, b warehouse.Boundary, name string) (*warehouse.Login, answer, error) {
	return signInWith(ctx, admin, name, b.Password(name))
}

func signInWith(ctx context.Context, admin *warehouse.Admin, name, password string) (*warehouse.Login, answer, error) {
	l, err := admin.Login(ctx, name, password)
	if err == nil {
		return l, in, nil
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch {
		case pg.Code == "53300" && pg.Routine == "InitializeSessionUserId": // the role's limit; its password was right
			return nil, busy, nil
		case pg.Code[:2] == "28", pg.Code == "42501": // 42501: no CONNECT
			return nil, refused, nil
		}
	}
	var my *mysql.MySQLError
	if errors.As(err, &my) {
		switch my.Number {
		case 1226, 1203: // the account's limit
			return nil, busy, nil
		case 1044, 1045, 1049, 1130, 1251, 1524, 1698, 1862, 3118, 4151:
			return nil, refused, nil
		}
	}
	return nil, refused, err
}

// letIn demands that logins of the boundary are turned away with passwords that
// are not theirs. One that is in use tells of that only whom it would let in.
func letIn(ctx context.Context, admin *warehouse.Admin, r *Report, again func(login string) string, logins []string, passwords ...string) error {
	for _, name := range logins {
		for _, password := range passwords {
			l, how, err := signInWith(ctx, admin, name, password)
			if err != nil {
				return err
			}
			if l != nil {
				l.Close()
			}
			if how != refused {
				r.fatal("passwords", again(name), "%s is let in with a wrong password: anybody who reaches the server can be it. Let the server demand passwords.", name)
				break
			}
		}
	}
	return nil
}

// readsLeases warns of a login of the connection details that may.
func readsLeases(r *Report, b warehouse.Boundary) {
	r.warn("login", "", "The login of the connection details may read %s.lease. So may people who see all of the database and write SQL: they can read the values of other people's attributes and the keys of hashes there. Connect Sluice with a login that may only read the tables.", b.Home())
}

// wait asks again and again until done or the time is up.
func wait(ctx context.Context, within time.Duration, done func() (bool, error)) error {
	end := time.Now().Add(within)
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		if time.Now().After(end) {
			return ErrBusy
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
		case <-time.After(askEvery):
		}
	}
}

// token is a word that nobody guesses.
func token() string { return "doctor_" + rand.Text() }
