package dbrole

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// Severity tells what a finding means for SQL of people.
type Severity string

// The severities. The zero value is none of them; what is not Warning counts
// as Fatal.
const (
	Fatal   Severity = "fatal"   // the boundary does not hold, or that is not proven: no SQL
	Warning Severity = "warning" // it holds, and something should be better
)

// Finding is something that is not as it should be.
type Finding struct {
	Severity Severity `json:"severity"`
	Check    string   `json:"check"`   // which one found it, for programs
	Message  string   `json:"message"` // for the administrator
	Fix      string   `json:"fix"`     // the SQL that mends it, to be read before it is run; "" if there is none
}

// Report is what the doctor found.
type Report struct {
	Findings []Finding `json:"findings"`
	Version  string    `json:"version"` // of the server; "" if the doctor did not look
}

// Passed tells that the boundary holds as far as the doctor can see. The zero
// report has not passed.
func (r Report) Passed() bool {
	for _, f := range r.Findings {
		if f.Severity != Warning {
			return false
		}
	}
	return r.Version != ""
}

func (r *Report) fatal(check, fix, format string, args ...any) {
	r.add(Finding{Fatal, check, fmt.Sprintf(format, args...), fix})
}

func (r *Report) warn(check, fix, format string, args ...any) {
	r.add(Finding{Warning, check, fmt.Sprintf(format, args...), fix})
}

// add says nothing twice: what everybody has, every slot has.
func (r *Report) add(f Finding) {
	if !slices.Contains(r.Findings, f) {
		r.Findings = append(r.Findings, f)
	}
}

// Doctor looks at the boundary and attacks it as one of its slots. That it
// found something is in the report; an error says that it could not look, as
// when no slot was free. What it looks at is that of the database of the
// connection details.
func Doctor(ctx context.Context, admin *warehouse.Admin, b warehouse.Boundary, engine string) (Report, error) {
	if err := valid(b); err != nil {
		return Report{}, err
	}
	switch engine {
	case Postgres:
		return postgresDoctor(ctx, admin, b)
	case MySQL, MySQL8:
		return mariaDoctor(ctx, admin, b)
	}
	return Report{}, noBoundary(engine)
}
