package dataset

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// reportZone is the setting that names the time zone of results.
const reportZone = "report-timezone"

// zone is the time zone that statements on an engine run in and that times are
// told in: the one that administrators chose, where the engine knows zones.
func (d *Door) zone(ctx context.Context, engine string) (*time.Location, error) {
	if !warehouse.Zones(engine) {
		return time.UTC, nil
	}
	name, err := d.store.Setting(ctx, reportZone)
	if errors.Is(err, store.ErrNotFound) || err == nil && name == "" {
		return time.UTC, nil
	}
	if err != nil {
		return nil, err
	}
	return d.zones.find(name), nil
}

// zones remembers the zone that was asked for last: finding one reads files.
// Its zero value is ready.
type zones struct {
	mu   sync.Mutex
	name string
	zone *time.Location
}

func (z *zones) find(name string) *time.Location {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.zone == nil || z.name != name {
		zone, err := time.LoadLocation(name)
		if err != nil || zone == time.Local { // cannot be: settings are checked
			zone = time.UTC
		}
		z.name, z.zone = name, zone
	}
	return z.zone
}
