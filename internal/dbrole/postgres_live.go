package dbrole

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// live signs in as every login, and attacks as one slot that is free.
func (d *postgres) live() error {
	// What mends it is a file of the server.
	if err := letIn(d.ctx, d.admin, d.report, func(string) string { return "" }, []string{d.b.Control(), d.b.Slot(1)}, token()); err != nil {
		return err
	}
	control, how, err := signIn(d.ctx, d.admin, d.b, d.b.Control())
	if err != nil {
		return err
	}
	if how != in {
		if d.told[d.b.Control()] {
			return nil
		}
		d.report.fatal("logins", d.again(d.b.Control()), "%s cannot sign in with its password. Run the set-up script again.", d.b.Control())
		return nil
	}
	defer control.Close()
	slot, name, err := d.freeSlot()
	if err != nil || slot == nil {
		return err
	}
	defer slot.Close()
	return d.underLease(control, slot, name)
}

// freeSlot tries all slots and keeps the first that is free; nil if there is
// none that anybody could sign in as.
func (d *postgres) freeSlot() (free *warehouse.Login, name string, err error) {
	var taken []string
	try := func(slot string) error {
		l, how, err := signIn(d.ctx, d.admin, d.b, slot)
		switch {
		case err != nil:
			return err
		case how == in && free == nil:
			free, name = l, slot
		case how == in:
			l.Close()
		case how == busy:
			taken = append(taken, slot)
		case !d.told[slot]:
			d.told[slot] = true
			d.report.fatal("logins", d.again(slot), "%s cannot sign in with its password. Run the set-up script again.", slot)
		}
		return nil
	}
	for _, slot := range slots(d.b) {
		if err := try(slot); err != nil {
			if free != nil {
				free.Close()
			}
			return nil, "", err
		}
	}
	if free != nil || len(taken) == 0 {
		return free, name, nil
	}
	err = wait(d.ctx, freeWithin, func() (bool, error) {
		again := taken
		taken = nil
		for _, slot := range again {
			if err := try(slot); err != nil || free != nil {
				return free != nil, err
			}
		}
		return len(taken) == 0, nil
	})
	return free, name, err
}

// underLease attacks under a lease for a view that there is not.
func (d *postgres) underLease(control, slot *warehouse.Login, name string) (err error) {
	nonce := token()
	lease := ident(d.b.Home()) + ".lease"
	write := func(expires string) error {
		_, err := control.Query(d.ctx, "INSERT INTO "+lease+" (slot, nonce, grants, expires) VALUES ($1, $2, jsonb_build_object($2::text, true), statement_timestamp() + $3::interval) "+
			"ON CONFLICT (slot) DO UPDATE SET nonce = excluded.nonce, grants = excluded.grants, expires = excluded.expires", name, nonce, expires)
		return err
	}
	remove := func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), tidyWithin)
		defer cancel()
		_, err := control.Query(ctx, "DELETE FROM "+lease+" WHERE slot = $1 AND nonce = $2", name, nonce)
		return err
	}
	if err := write("-1 second"); err != nil {
		if held(err) {
			d.report.fatal("lease", "", "%s cannot write a lease: %v", d.b.Control(), err)
			return nil
		}
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	defer func() {
		if e := remove(); e != nil {
			err = errors.Join(err, fmt.Errorf("dbrole: the doctor's lease of %s was not removed: %w", name, e))
		}
	}()
	if err := slot.Exec(d.ctx, "SET search_path = pg_catalog; SET quote_all_identifiers = off"); err != nil {
		return fmt.Errorf("dbrole: the doctor's slot: %w", err)
	}
	if err := d.reads(slot, "after its lease ran out"); err != nil {
		return err
	}
	if err := write("10 minutes"); err != nil {
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	if err := d.reads(slot, "under its lease", nonce); err != nil {
		return err
	}
	if err := d.sessionSettings(slot); err != nil {
		return err
	}
	if err := d.viewsAreEmpty(slot); err != nil {
		return err
	}
	for _, c := range d.canaries(name) {
		if err := d.attack(slot, c); err != nil {
			return err
		}
	}
	if err := remove(); err != nil {
		return fmt.Errorf("dbrole: the doctor's lease: %w", err)
	}
	return d.reads(slot, "without a lease")
}

// reads demands that a slot sees exactly these leases.
func (d *postgres) reads(slot *warehouse.Login, when string, nonces ...string) error {
	rows, err := slot.Query(d.ctx, "SELECT nonce FROM "+ident(d.b.Views())+".lease")
	if err != nil && !held(err) {
		return fmt.Errorf("dbrole: reading the lease: %w", err)
	}
	var seen []string
	for _, v := range rows {
		seen = append(seen, v[0])
	}
	switch {
	case err != nil:
		d.report.fatal("lease", "", "A slot cannot read its lease %s: %v", when, err)
	case !slices.Equal(seen, nonces):
		d.report.fatal("lease", "", "A slot sees %d leases %s, and not %d of its own.", len(seen), when, len(nonces))
	}
	return nil
}

// sessionSettings are looked at where they hold.
func (d *postgres) sessionSettings(slot *warehouse.Login) error {
	rows, err := slot.Query(d.ctx, "SELECT current_setting('lo_compat_privileges'), current_setting('temp_file_limit')")
	if err != nil || len(rows) != 1 {
		return fmt.Errorf("dbrole: the settings of a slot: %w", err)
	}
	if rows[0][0] != "off" {
		d.report.fatal("settings", "ALTER SYSTEM RESET lo_compat_privileges;", "lo_compat_privileges is on: everybody reads all large objects. Reload the server's configuration after the fix.")
	}
	if rows[0][1] == "-1" {
		fix := ""
		for _, s := range slots(d.b) {
			fix += "ALTER ROLE " + ident(s) + " SET temp_file_limit = '1GB';\n"
		}
		d.report.warn("settings", fix, "SQL of people may fill the disk with files for sorting: temp_file_limit is not set. Only a superuser can.")
	}
	return nil
}

// viewsAreEmpty for who has a lease for something else.
func (d *postgres) viewsAreEmpty(slot *warehouse.Login) error {
	rows, err := slot.Query(d.ctx, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind = 'v' AND c.relname <> 'lease' ORDER BY 1`, d.b.Views())
	if err != nil {
		return fmt.Errorf("dbrole: the views: %w", err)
	}
	for _, v := range rows {
		ctx, cancel := context.WithTimeout(d.ctx, queryWithin)
		found, err := slot.Query(ctx, "SELECT 1 FROM "+v[0]+" LIMIT 1")
		cancel()
		var pg *pgconn.PgError
		switch {
		case err != nil && !errors.As(err, &pg):
			return fmt.Errorf("dbrole: the view %s: %w", v[0], err)
		case err != nil:
			d.report.warn("views", "", "The view %s cannot be read: %v", v[0], err)
		case len(found) > 0:
			d.report.fatal("views", "DROP VIEW "+v[0]+";", "The view %s shows rows to a slot whose lease does not name it.", v[0])
		}
	}
	return nil
}
