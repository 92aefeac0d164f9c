package dbrole

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// maria looks at a boundary in MariaDB. What an account may do, only the
// account itself can be asked: the doctor signs in as every one.
type maria struct {
	ctx      context.Context
	admin    *warehouse.Admin
	b        warehouse.Boundary
	report   *Report
	database string
	base     string // a table that slots must not read, quoted; "" if there is none
}

func mariaDoctor(ctx context.Context, admin *warehouse.Admin, b warehouse.Boundary) (Report, error) {
	l, err := admin.Login(ctx, "", "")
	if err != nil {
		return Report{}, err
	}
	defer l.Close()
	rows, err := l.Query(ctx, "SELECT VERSION(), DATABASE(), CAST(@@GLOBAL.local_infile AS CHAR)")
	if err != nil || len(rows) != 1 {
		return Report{}, fmt.Errorf("dbrole: the version of the server: %w", err)
	}
	r := Report{Findings: []Finding{}, Version: rows[0][0]}
	if !strings.Contains(rows[0][0], "MariaDB") {
		r.fatal("engine", "", "SQL of people is not held on MySQL itself yet, only on MariaDB and PostgreSQL.")
		return r, nil
	}
	if rows[0][2] != "0" {
		r.warn("local-infile", "SET GLOBAL local_infile = 0;", "local_infile is on: the server may ask clients for files. Sluice gives it none; other programs may. Set it in the server's configuration too.")
	}
	d := &maria{ctx: ctx, admin: admin, b: b, report: &r, database: rows[0][1]}
	var my *mysql.MySQLError
	if _, err := l.Query(ctx, "SELECT 1 FROM "+ticks(b.Home())+".lease LIMIT 1"); err == nil {
		readsLeases(&r, b)
	} else if !errors.As(err, &my) {
		return Report{}, fmt.Errorf("dbrole: what the login reads: %w", err)
	}
	rows, err = l.Query(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? ORDER BY table_type, table_name LIMIT 1", d.database)
	if err != nil {
		return Report{}, fmt.Errorf("dbrole: the tables: %w", err)
	}
	if len(rows) > 0 {
		d.base = ticks(d.database) + "." + ticks(rows[0][0])
	}
	if err := d.look(); err != nil {
		return Report{}, err
	}
	return r, nil
}

// again says what mends a login that is missing or not as it should be.
func (d *maria) again(login string) string {
	statements := mariaAccount(MySQL, d.b, login)
	if login != d.b.Control() {
		statements = append(statements, mariaSlotGrants(d.b, login))
	}
	return strings.Join(statements, ";\n") + ";"
}

func (d *maria) look() error {
	// An account may have more than one method, and one without a password.
	if err := letIn(d.ctx, d.admin, d.report, d.again, []string{d.b.Control(), d.b.Slot(1)}, token(), ""); err != nil {
		return err
	}
	var control *warehouse.Login
	err := wait(d.ctx, freeWithin, func() (bool, error) {
		l, how, err := d.signIn(d.b.Control())
		control = l
		return how != busy, err
	})
	if err != nil || control == nil {
		return err
	}
	defer control.Close()
	if err := d.grants(control, d.b.Control()); err != nil {
		return err
	}
	if whole, err := d.views(control); err != nil || !whole {
		return err
	}
	return d.slots(control)
}

// slots are looked at all, but for those that stay in use while others do not.
func (d *maria) slots(control *warehouse.Login) error {
	left, attacked := slots(d.b), false
	round := func() error {
		var taken []string
		for _, name := range left {
			l, how, err := d.signIn(name)
			if err == nil && l != nil {
				err = d.slot(control, l, name, &attacked)
			}
			if err != nil {
				return err
			}
			if how == busy {
				taken = append(taken, name)
			}
		}
		left = taken
		return nil
	}
	if err := round(); err != nil {
		return err
	}
	within, some := freeWithin, len(left) < d.b.Slots
	if some {
		within = min(within, passOver)
	}
	if len(left) > 0 {
		err := wait(d.ctx, within, func() (bool, error) {
			err := round()
			return len(left) == 0 || !some && len(left) < d.b.Slots, err
		})
		if err != nil && (!some || !errors.Is(err, ErrBusy) || d.ctx.Err() != nil) {
			return err
		}
	}
	for _, name := range left {
		d.report.warn("busy", "", "%s was in use and was not looked at. Run the doctor again when it is free.", name)
	}
	return nil
}

// slot looks at one slot, and attacks as it unless that was done as another.
func (d *maria) slot(control, l *warehouse.Login, name string, attacked *bool) error {
	defer l.Close()
	if err := d.grants(l, name); err != nil {
		return err
	}
	if err := d.databases(l, name); err != nil || *attacked {
		return err
	}
	*attacked = true
	return d.underLease(control, l, name)
}

// taken takes the lock that says whose a slot is: its account may have a second
// connection, which ends what runs on the first.
func taken(ctx context.Context, l *warehouse.Login, name string) (answer, error) {
	rows, err := l.Query(ctx, "SELECT GET_LOCK(?, 0)", name)
	if err == nil && len(rows) == 1 && rows[0][0] == "1" {
		return in, nil
	}
	l.Close()
	return busy, err
}

// signIn gives nil for an account that is in use, and for one that cannot sign
// in, which is a finding.
func (d *maria) signIn(name string) (*warehouse.Login, answer, error) {
	l, how, err := signIn(d.ctx, d.admin, d.b, name)
	if err == nil && how == in && name != d.b.Control() {
		how, err = taken(d.ctx, l, name)
	}
	switch {
	case err != nil || how == busy:
		return nil, how, err
	case how == refused:
		// Signing in goes with the database of the details, which slots may not use.
		d.report.fatal("logins", d.again(name), "%s cannot sign in with its password. Run the set-up script again.", name)
		return nil, how, nil
	}
	rows, err := l.Query(d.ctx, "SELECT CURRENT_USER()")
	if err != nil || len(rows) != 1 {
		l.Close()
		return nil, refused, fmt.Errorf("dbrole: the account of %s: %w", name, err)
	}
	if rows[0][0] != name+"@%" {
		user, host, _ := strings.Cut(rows[0][0], "@")
		d.report.fatal("logins", "DROP USER "+literal(user)+"@"+literal(host)+";", "Who signs in as %s from here is the account %s and not %s@%%.", name, rows[0][0], name)
	}
	return l, in, nil
}

// databases that an account has any right in, in whatever way: grants to
// nobody in particular are not among its own.
func (d *maria) databases(l *warehouse.Login, name string) error {
	rows, err := l.Query(d.ctx, "SELECT schema_name FROM information_schema.schemata ORDER BY schema_name")
	if err != nil {
		return fmt.Errorf("dbrole: the databases of %s: %w", name, err)
	}
	for _, v := range rows {
		if !slices.Contains([]string{"information_schema", d.b.Views()}, strings.ToLower(v[0])) {
			d.report.fatal("databases", "DELETE FROM mysql.db WHERE User = '';\nFLUSH PRIVILEGES;",
				"SQL of people has rights in the database %s. If no account is granted them, they are those of accounts without a name, which everybody has.", v[0])
		}
	}
	return nil
}

// views are looked at through the login of the leases. False says that the
// leases are not there.
func (d *maria) views(control *warehouse.Login) (whole bool, err error) {
	rows, err := control.Query(d.ctx, "SELECT table_schema, table_name, table_type, COALESCE(engine, '') FROM information_schema.tables WHERE table_schema IN (?, ?) ORDER BY 1, 2", d.b.Home(), d.b.Views())
	if err != nil {
		return false, fmt.Errorf("dbrole: the views: %w", err)
	}
	has := map[string]string{}
	for _, v := range rows {
		has[v[0]+"."+v[1]] = v[2]
		if v[0] == d.b.Views() && v[2] != "VIEW" {
			d.report.fatal("views", "", "The database %s is for views and holds the table %s. Move it elsewhere or drop it.", v[0], v[1])
		}
		if v[0] == d.b.Home() && v[1] == "lease" && v[2] == "BASE TABLE" && v[3] != "InnoDB" {
			d.report.fatal("lease", "ALTER TABLE "+ticks(v[0])+".lease ENGINE=InnoDB;", "The engine of the table %s.lease is %s and not InnoDB: leases hold outside of transactions.", v[0], v[3])
		}
	}
	parts := []struct{ name, kind, make string }{{d.b.Home() + ".lease", "BASE TABLE", mariaLease(d.b)}, {d.b.Home() + ".mine", "VIEW", mariaMine(d.b)}, {d.b.Views() + ".lease", "VIEW", mariaNonce(d.b)}}
	whole = true
	for _, p := range parts {
		if has[p.name] != p.kind {
			whole = false
			d.report.fatal("setup", p.make+";", "%s is not there, or %s may not see it. Run the set-up script again.", p.name, d.b.Control())
		}
	}
	if !whole {
		return false, nil
	}
	if err := d.leaseTable(control); err != nil {
		return false, err
	}
	rows, err = control.Query(d.ctx, "SELECT table_schema, table_name, definer, security_type, view_definition FROM information_schema.views WHERE table_schema IN (?, ?) ORDER BY 1, 2", d.b.Home(), d.b.Views())
	if err != nil {
		return false, fmt.Errorf("dbrole: the views: %w", err)
	}
	for _, v := range rows {
		view := ticks(v[0]) + "." + ticks(v[1])
		var fix string
		switch v[0] + "." + v[1] {
		case d.b.Home() + ".mine":
			fix = mariaMine(d.b) + ";"
			if d.plain(v[4]) != mineText {
				d.report.fatal("lease", fix, "The view %s does not say what the set-up says.", view)
			}
		case d.b.Views() + ".lease":
			fix = mariaNonce(d.b) + ";"
			if d.plain(v[4]) != nonceText {
				d.report.fatal("lease", fix, "The view %s does not say what the set-up says.", view)
			}
		default:
			fix = "DROP VIEW " + view + ";" // for Sluice to write again
		}
		if v[2] != d.b.Control()+"@%" {
			d.report.fatal("views", fix, "The definer of the view %s, with whose rights it reads, is %s and not %s.", view, v[2], d.b.Control())
		}
		if v[3] != "DEFINER" {
			d.report.fatal("views", fix, "The view %s reads with the rights of who asks.", view)
		}
	}
	return true, nil
}

// What the views are, as plain gives it.
const (
	mineText = "select nonce as nonce,grants as grants from lease where slot=convert substring_index user ,'@',1 using ascii collate ascii_bin" +
		" and expires>utc_timestamp 6 and expires>timestamp'1970-01-01 00:00:00.000000'+interval unix_timestamp sysdate 6 second"
	nonceText = "select nonce as nonce from mine"
)

// plain is the text of one of our views as all versions of the server would
// print it.
func (d *maria) plain(text string) string {
	home := ticks(d.b.Home()) + "."
	text = strings.NewReplacer(home+"`lease`.", "", home+"`mine`.", "", home, "", "`lease`.", "", "`mine`.", "", "`", "", "(", " ", ")", " ").Replace(text)
	text = strings.ReplaceAll(strings.ToLower(text), "session_user", "user")
	text = blanks.ReplaceAllString(strings.TrimSpace(text), " ")
	return strings.NewReplacer(" = ", "=", " > ", ">", " + ", "+", ", ", ",").Replace(text)
}

// leaseTable has the columns of the contract.
func (d *maria) leaseTable(control *warehouse.Login) error {
	rows, err := control.Query(d.ctx, "SELECT column_name, column_type, is_nullable, COALESCE(collation_name, ''), column_key FROM information_schema.columns WHERE table_schema = ? AND table_name = 'lease' ORDER BY ordinal_position", d.b.Home())
	if err != nil {
		return fmt.Errorf("dbrole: the leases: %w", err)
	}
	var got []string
	for i, v := range rows {
		if i > 0 {
			v[3] = "" // only the collation of names matters
		}
		got = append(got, strings.TrimSpace(strings.ToLower(strings.Join(v, " "))))
	}
	want := []string{"slot varchar(80) no ascii_bin pri", "nonce varchar(64) no", "grants longtext no", "expires datetime(6) no"}
	if !slices.Equal(got, want) {
		d.report.fatal("lease", "", "The table %s.lease is not the one that the set-up makes. Drop it and run the set-up script.", d.b.Home())
	}
	return nil
}
