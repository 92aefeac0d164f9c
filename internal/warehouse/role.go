package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
)

// Who is seen as a role inside of the database has statements that run as it:
// over the connection of the database, whose login is a member of the role.
// Where the role cannot be taken the statement does not run.

// unassumed is a role that the login cannot take. grant says how it could.
func unassumed(role, login, grant string, cause error) *Error {
	why := "it is the login itself"
	if cause != nil {
		why = cause.Error()
	}
	return failed(NoRole, fmt.Sprintf("the login %s of the connection cannot take the database role %s (%s). If people are to be seen as it, an administrator of the database runs: %s", login, role, why, grant), cause)
}

// assume takes the role of a statement for its transaction. What SQL of people
// means when the gate has printed it, it means with this search path.
func (c *postgresConn) assume(ctx context.Context, t task) error {
	if t.role == "" {
		return nil
	}
	login := c.server.config.User
	sql := "set local role " + quoteIdent(t.role)
	if t.native {
		sql += "; set local search_path = pg_catalog"
	}
	var err error
	if t.role != login {
		err = c.exec(ctx, sql)
	}
	var pg *pgconn.PgError
	switch {
	case ctx.Err() != nil:
		return ended(ctx, err)
	case t.role == login, errors.As(err, &pg):
		return unassumed(t.role, login, "GRANT "+quoteIdent(t.role)+" TO "+quoteIdent(login), err)
	case err != nil:
		return c.judge(ctx, err)
	}
	return nil
}

// assume takes the role of a statement for the rest of the session, which is
// closed after it (see mysqlRows.end). What the login may by itself it may as
// every role, so it must have no rights but those of its roles. SQL of people
// means what the gate printed with these modes.
func (c *mysqlConn) assume(ctx context.Context, t task) error {
	if t.role == "" {
		return nil
	}
	login := c.server.config.User
	grant := "GRANT " + quoteTicks(t.role) + " TO " + quoteText(login)
	if t.role == login {
		return unassumed(t.role, login, grant, nil)
	}
	if err := c.exec(ctx, "SET ROLE NONE"); err != nil {
		return c.unassumed(ctx, t.role, grant, err)
	}
	rights := ""
	own := *c // reading this ends nothing
	own.done, own.role = nil, ""
	if err := own.each(ctx, "SHOW GRANTS", nil, func(row []string) {
		if !onlyRoles(row[0]) {
			rights, _, _ = strings.Cut(row[0], " IDENTIFIED BY ")
		}
	}); err != nil {
		return c.unassumed(ctx, t.role, grant, err)
	}
	if rights != "" {
		return failed(NoRole, fmt.Sprintf("the login %s of the connection has rights of its own, which it keeps as every role (%s). To have people seen as the role %s, an administrator of the database revokes them and grants them to a role that is the login's default one", login, rights, t.role), nil)
	}
	sql := []string{"SET ROLE " + quoteTicks(t.role)}
	if t.native {
		sql = append(sql, "SET sql_mode = "+quoteText(slotModes))
	}
	for _, s := range sql {
		if err := c.exec(ctx, s); err != nil {
			return c.unassumed(ctx, t.role, grant, err)
		}
	}
	return nil
}

func (c *mysqlConn) unassumed(ctx context.Context, role, grant string, err error) error {
	var my *mysql.MySQLError
	if ctx.Err() == nil && errors.As(err, &my) {
		return unassumed(role, c.server.config.User, grant, err)
	}
	return c.judge(ctx, err)
}

// onlyRoles tells whether a line of SHOW GRANTS gives the account nothing but a
// role: the name of one is quoted.
func onlyRoles(line string) bool {
	for _, begin := range []string{"GRANT USAGE ON *.* TO ", "GRANT `", "GRANT '", "SET DEFAULT ROLE "} {
		if strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}
