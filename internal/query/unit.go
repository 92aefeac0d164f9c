package query

import (
	"fmt"
	"strings"
	"time"
)

// unit is a step of the calendar that dates are cut to, or a part of a date
// that is taken out of it, by Metabase's name. "" is none.
type unit string

type unitKind uint8

const (
	cut  unitKind = iota + 1 // gives a date
	part                     // gives a number
)

// unitKinds are the units there are. Weeks begin on [Source.FirstDay], which
// is day 1; week 1 of a year is the one with the first of January. The parts
// that end in -iso count as ISO 8601 does - weeks begin on Monday, week 1 has
// the first Thursday -, those in -us from Sunday.
var unitKinds = map[unit]unitKind{
	"millisecond": cut, "second": cut, "minute": cut, "hour": cut, "day": cut, "week": cut, "month": cut, "quarter": cut, "year": cut,
	"second-of-minute": part, "minute-of-hour": part, "hour-of-day": part,
	"day-of-week": part, "day-of-week-iso": part, "day-of-week-us": part, "day-of-month": part, "day-of-year": part,
	"week-of-year": part, "week-of-year-iso": part, "week-of-year-us": part,
	"month-of-year": part, "quarter-of-year": part, "year-of-era": part,
}

// sameUnits are units that have another name too.
var sameUnits = map[string]unit{"week-of-year-instance": "week-of-year"}

// ofClock tells whether the unit says something only of dates with a time.
func (u unit) ofClock() bool {
	switch u {
	case "millisecond", "second", "minute", "hour", "second-of-minute", "minute-of-hour", "hour-of-day":
		return true
	}
	return false
}

// months is how many months the unit has; 0 for one that is not made of them.
func (u unit) months() int {
	return map[unit]int{"month": 1, "quarter": 3, "year": 12}[u]
}

// label is the unit in display names: "Day of week".
func (u unit) label() string {
	s := strings.ReplaceAll(string(u), "-", " ")
	return strings.ToUpper(s[:1]) + s[1:]
}

// floor is the beginning of the unit that t lies in, where weeks begin on the
// day. Only for cuts.
func (u unit) floor(t time.Time, first time.Weekday) time.Time {
	y, m, d := t.Date()
	hour, minute, second := t.Clock()
	switch u {
	case "millisecond":
		return t.Truncate(time.Millisecond)
	case "second":
	case "minute":
		second = 0
	case "hour":
		minute, second = 0, 0
	default:
		hour, minute, second = 0, 0, 0
	}
	switch u {
	case "week":
		d -= int(t.Weekday()-first+7) % 7
	case "month":
		d = 1
	case "quarter":
		m, d = (m-1)/3*3+1, 1
	case "year":
		m, d = 1, 1
	}
	return time.Date(y, m, d, hour, minute, second, 0, t.Location())
}

// add goes n units on; of a month that has no such day, to its last. The
// error says that the result is out of the calendar.
func (u unit) add(t time.Time, n int64) (time.Time, error) {
	if n < -maxStep || n > maxStep {
		return t, fmt.Errorf("%d is too many units of time", n)
	}
	i := int(n)
	switch u {
	case "millisecond":
		t = t.Add(time.Duration(i) * time.Millisecond)
	case "second":
		t = t.Add(time.Duration(i) * time.Second)
	case "minute":
		t = t.Add(time.Duration(i) * time.Minute)
	case "hour":
		t = t.Add(time.Duration(i) * time.Hour)
	case "day":
		t = t.AddDate(0, 0, i)
	case "week":
		t = t.AddDate(0, 0, 7*i)
	default:
		day := t.Day()
		t = t.AddDate(0, i*u.months(), 0)
		if t.Day() != day {
			t = t.AddDate(0, 0, -t.Day())
		}
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return t, fmt.Errorf("%d units of %q lead out of the calendar", n, u)
	}
	return t, nil
}

// maxStep bounds how many units one may go, so that no sum overflows.
const maxStep = 1_000_000

// dateForms are the ways in which a date with time may be written; the first
// entries are whole days.
var dateForms = []string{"2006-01-02", "2006-01",
	"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04Z07:00",
	"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00"}

const wholeDays = 2

// readDate reads a date in the zone, and whether it is one without a time.
func readDate(s string, zone *time.Location) (t time.Time, day bool, ok bool) {
	for i, form := range dateForms {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			t = t.In(zone)
			return t, i < wholeDays, t.Year() > 0 && t.Year() <= 9999
		}
	}
	return time.Time{}, false, false
}

// isDate tells whether the text is a date.
func isDate(s string) bool {
	_, _, ok := readDate(s, time.UTC)
	return ok
}

// readTime reads a time of the day.
func readTime(s string) (t time.Time, ok bool) {
	for _, form := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
