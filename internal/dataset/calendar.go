package dataset

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/sluice-bi/sluice/internal/warehouse"
)

// The settings that reports are made under.
const (
	reportZone  = "report-timezone"
	startOfWeek = "start-of-week"
)

// calendar is how days and weeks are counted in a report.
type calendar struct {
	zone *time.Location // that statements run in and times are told in
	week time.Weekday   // that weeks begin on
}

// calendar is what administrators chose; days are those of UTC where they
// chose nothing, and where the engine knows no zones.
func (d *Door) calendar(ctx context.Context, engine string) (calendar, error) {
	c := calendar{zone: time.UTC}
	chosen, err := d.store.Settings(ctx)
	if err != nil {
		return c, err
	}
	for day := time.Sunday; day <= time.Saturday; day++ {
		if strings.EqualFold(day.String(), chosen[startOfWeek]) {
			c.week = day
		}
	}
	if name := chosen[reportZone]; name != "" && warehouse.Zones(engine) {
		c.zone = d.zones.find(name)
	}
	return c, nil
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
