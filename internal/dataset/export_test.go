package dataset

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/sluice-bi/sluice/internal/permission"
)

// The door itself keeps exports to what the person may take away: whoever
// writes files cannot forget it.
func TestAnExportGoesAsFarAsTheDownloadLevel(t *testing.T) {
	w := newWorld(t, Options{})
	w.grant(permission.Unrestricted, permission.QueryBuilder)
	for _, tt := range []struct {
		level  permission.Level
		export int // rows; -1 for a refusal
		looked int
	}{{permission.Full, 20_000, 2000}, {permission.Limited, 10_000, 2000}, {permission.None, -1, 2000}} {
		w.draft(func(d *permission.Draft) error {
			return d.Set(w.group, sampleID, permission.Download, permission.WholeDatabase(), tt.level)
		})
		question := json.RawMessage(w.list("orders"))
		if _, sum, err := w.run(w.person, Request{Query: question}); err != nil || sum.Rows != tt.looked {
			t.Errorf("at %d, %d rows are shown: %v", tt.level, sum.Rows, err)
		}
		a, sum, err := w.run(w.person, Request{Query: question, Context: "xlsx-download"})
		last := w.lastRun()
		if tt.export < 0 {
			if !errors.Is(err, ErrNoDownload) || a.head.Columns != nil || last.Outcome != "denied" || last.Reason != ErrNoDownload.Error() {
				t.Errorf("at %d: %v, columns %v, recorded as %q, %q", tt.level, err, a.head.Columns, last.Outcome, last.Reason)
			}
			continue
		}
		if err != nil || sum.Rows != tt.export || sum.Truncated != (tt.level == permission.Limited) || last.Outcome != "completed" || last.Rows != int64(tt.export) {
			t.Errorf("at %d: %+v, %v, recorded as %+v", tt.level, sum, err, last)
		}
	}
}
