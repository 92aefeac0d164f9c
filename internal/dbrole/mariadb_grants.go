package dbrole

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// right is what SHOW GRANTS says in a line.
type right struct {
	privileges []string
	on, to     string // as written; on is "" for a role
	rest       string // limits and options
}

var (
	grantLine = regexp.MustCompile("^GRANT (.+) ON ((?:TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?(?:\\*|`(?:[^`]|``)*`|''|'[^']*'(?:@'[^']*')?)(?:\\.(?:\\*|`(?:[^`]|``)*`)|@\\S+)?) TO (PUBLIC|`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?|'[^']*'@'[^']*')(.*)$")
	roleLine  = regexp.MustCompile("^GRANT (`(?:[^`]|``)*`|[A-Za-z0-9_]+) TO (PUBLIC|`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?)(.*)$")
)

// readGrant reads a line; false says that it is of a kind that is not known.
func readGrant(line string) (right, bool) {
	if m := grantLine.FindStringSubmatch(line); m != nil {
		return right{split(m[1]), m[2], m[3], m[4]}, true
	}
	if m := roleLine.FindStringSubmatch(line); m != nil {
		return right{[]string{m[1]}, "", m[2], m[3]}, true
	}
	return right{}, false
}

// split takes a list of privileges apart, but not lists of columns in it.
func split(list string) []string {
	var parts []string
	depth, from := 0, 0
	for i, c := range list {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(list[from:i]))
			from = i + 1
		}
	}
	return append(parts, strings.TrimSpace(list[from:]))
}

// expected are the privileges that an account must have, and may have beside.
func (d *maria) expected(name string) (must, may map[string][]string) {
	views := grantable(d.b.Views()) + ".*"
	if name != d.b.Control() {
		return map[string][]string{views: {"SELECT"}}, nil
	}
	home := ticks(d.b.Home()) + "."
	return map[string][]string{
		grantable(d.database) + ".*": {"SELECT"},
		views:                        {"SELECT", "SHOW VIEW"},
		home + "`lease`":             {"SELECT", "INSERT", "UPDATE", "DELETE"},
		home + "`mine`":              {"SELECT", "SHOW VIEW"},
	}, map[string][]string{views: {"CREATE VIEW", "DROP"}}
}

// grants of an account are those of the set-up and no other.
func (d *maria) grants(l *warehouse.Login, name string) error {
	rows, err := l.Query(d.ctx, "SHOW GRANTS")
	if err != nil {
		return fmt.Errorf("dbrole: the grants of %s: %w", name, err)
	}
	must, may := d.expected(name)
	limited := false
	for _, v := range rows {
		g, known := readGrant(v[0])
		own := g.to == ticks(name)+"@"+ticks("%") || g.to == account(name)
		switch {
		case !known && strings.HasPrefix(v[0], "SET DEFAULT ROLE"): // the role itself is a line of its own
			continue
		case !known:
			d.report.fatal("grants", "", "%s has a grant of a kind that is not known.", name)
			continue
		case g.on == "*.*" && own:
			limited = strings.Contains(g.rest, " MAX_USER_CONNECTIONS 2 ") && strings.Contains(g.rest, " MAX_STATEMENT_TIME 120.")
		}
		d.compare(name, g, own, must, may)
	}
	for _, on := range slices.Sorted(maps.Keys(must)) {
		if len(must[on]) > 0 {
			what := strings.Join(must[on], ", ")
			d.report.fatal("grants", fmt.Sprintf("GRANT %s ON %s TO %s;", what, on, account(name)), "%s lacks %s on %s. Run the set-up script again.", name, what, on)
		}
	}
	if !limited && name != d.b.Control() {
		d.report.fatal("connection-limit", "ALTER USER "+account(name)+slotLimits+";", "%s does not have the limits of one connection and 120 seconds.", name)
	}
	return nil
}

// compare takes what a line gives from what must be there, and reports what is
// too much.
func (d *maria) compare(name string, g right, own bool, must, may map[string][]string) {
	var extra []string
	for _, p := range g.privileges {
		switch {
		case p == "USAGE":
		case own && slices.Contains(must[g.on], p):
			must[g.on] = slices.DeleteFunc(slices.Clone(must[g.on]), func(x string) bool { return x == p })
		case own && slices.Contains(may[g.on], p):
		default:
			extra = append(extra, p)
		}
	}
	if strings.Contains(g.rest, "WITH GRANT OPTION") || strings.Contains(g.rest, " GRANT OPTION") {
		extra = append(extra, "GRANT OPTION")
	}
	if len(extra) == 0 {
		return
	}
	to := account(name)
	if !own {
		to = g.to
	}
	what := strings.Join(extra, ", ")
	if g.on == "" {
		d.report.fatal("membership", fmt.Sprintf("REVOKE %s FROM %s;", what, to), "%s has the role %s, and can act as it.", name, what)
		return
	}
	d.report.fatal("grants", fmt.Sprintf("REVOKE %s ON %s FROM %s;", what, g.on, to), "%s has %s on %s, which the set-up does not give.", map[bool]string{true: name, false: g.to}[own], what, g.on)
}
