package warehouse

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The three years of the shop.
var (
	firstDay = time.Date(2023, time.January, 1, 0, 0, 0, 0, time.UTC)
	lastDay  = time.Date(2025, time.December, 31, 0, 0, 0, 0, time.UTC)
)

const (
	sampleOrders = 20000
	samplePeople = 2400
)

// shop is the sample while it is made: rows in the order of the columns.
type shop struct {
	dice dice

	organizations, products, people, orders, reviews, invoices [][]any

	titles  map[string]bool
	emails  map[string]int
	members [][]member // of each organisation, in the order of their joining
	wares   []ware
}

type member struct {
	id     int64
	joined time.Time
}

type ware struct {
	cents   int64
	quality float64 // how well it is liked, 1 to 5
	appeal  float64 // how often it is bought
	winter  float64 // how much more in winter; below 0 in summer
}

func (s *shop) make() {
	s.makeOrganizations()
	s.makeProducts()
	s.makePeople()
	s.makeOrders()
}

func (s *shop) makeOrganizations() {
	for i, o := range organizations {
		s.organizations = append(s.organizations, []any{int64(i + 1), o.name, o.industry, o.country, o.plan, stamp(o.since)})
	}
}

func (s *shop) makeProducts() {
	for _, c := range categories {
		for _, noun := range c.nouns {
			for range 4 {
				id := int64(len(s.products) + 1)
				title := s.title(noun, c.materials)
				cents := int64(float64(c.cents)*(0.5+1.4*s.dice.float()))/100*100 + 95
				quality := 2.9 + 1.9*s.dice.float()
				s.wares = append(s.wares, ware{cents, quality, 0.2 + s.dice.float()*s.dice.float()*3, c.winter})
				s.products = append(s.products, []any{id, title, c.name, s.dice.pick(vendors), money(cents),
					math.Round(quality*10) / 10, stamp(firstDay.AddDate(0, 0, -s.dice.below(500)-1).Add(s.dice.daytime()))})
			}
		}
	}
}

// title is the name of a product, of which there is no other.
func (s *shop) title(noun string, materials []string) string {
	for {
		t := s.dice.pick(adjectives) + " " + s.dice.pick(materials) + " " + noun
		if !s.titles[t] {
			s.titles[t] = true
			return t
		}
	}
}

func (s *shop) makePeople() {
	s.members = make([][]member, len(organizations))
	for i, o := range organizations {
		n := max(int(math.Round(samplePeople*o.share)), 4)
		open := lastDay.Sub(o.since)
		for k := range n {
			// More join at the beginning than later, the first at once.
			late := s.dice.float()
			if k == 0 {
				late = 0
			}
			joined := o.since.Add(time.Duration(late * late * float64(open))).Truncate(time.Second)
			s.members[i] = append(s.members[i], member{joined: joined})
		}
		sortByJoining(s.members[i])
		for k := range s.members[i] {
			s.members[i][k].id = int64(len(s.people) + 1)
			s.people = append(s.people, s.person(int64(i+1), o, s.members[i][k]))
		}
	}
}

func (s *shop) person(organization int64, o organization, m member) []any {
	first, last := s.dice.pick(firstNames), s.dice.pick(lastNames)
	email := strings.ToLower(first + "." + last)
	s.emails[email]++
	if n := s.emails[email]; n > 1 {
		email = fmt.Sprintf("%s%d", email, n)
	}
	var birth any
	if s.dice.float() < 0.93 {
		birth = firstDay.AddDate(-18-s.dice.below(50), 0, -s.dice.below(365)).Format(time.DateOnly)
	}
	cities := citiesOf[o.country]
	country := o.country
	if s.dice.float() < 0.12 { // some live abroad
		country = s.dice.pick(countries)
		cities = citiesOf[country]
	}
	active := int64(1)
	if s.dice.float() < 0.08 {
		active = 0
	}
	return []any{m.id, organization, first + " " + last, email + "@example.com", s.dice.pick(cities), country,
		s.dice.pick(sources), birth, active, stamp(m.joined)}
}

// busy is how much is ordered on a day, compared with an average day of the
// first year: growing, strong before Christmas, weak in summer and on Sundays.
func busy(day time.Time) float64 {
	years := day.Sub(firstDay).Hours() / 24 / 365
	month := [...]float64{0.85, 0.82, 0.95, 0.97, 1.0, 0.93, 0.84, 0.86, 1.0, 1.08, 1.42, 1.55}[day.Month()-1]
	weekday := [...]float64{0.72, 1.08, 1.06, 1.03, 1.04, 1.12, 0.95}[day.Weekday()]
	return (1 + 0.38*years) * month * weekday
}

func (s *shop) makeOrders() {
	var all float64
	for day := firstDay; !day.After(lastDay); day = day.AddDate(0, 0, 1) {
		all += busy(day)
	}
	var sum float64
	monthly := map[int]*bill{}
	for day := firstDay; !day.After(lastDay); day = day.AddDate(0, 0, 1) {
		sum += busy(day) * (1 + 0.3*(s.dice.float()-0.5))
		want := min(int(sum/all*sampleOrders), sampleOrders)
		if day.Equal(lastDay) {
			want = sampleOrders
		}
		times := make([]time.Time, max(want-len(s.orders), 0))
		for i := range times {
			times[i] = day.Add(s.dice.daytime())
		}
		sortTimes(times)
		for _, at := range times {
			s.order(at, monthly)
		}
		if next := day.AddDate(0, 0, 1); next.Month() != day.Month() {
			s.bill(day, monthly)
			clear(monthly)
		}
	}
}

// bill is what an organisation ordered in a month.
type bill struct {
	orders int64
	cents  int64
}

func (s *shop) order(at time.Time, monthly map[int]*bill) {
	o := s.customer(at)
	m := s.buyer(o, at)
	p := s.ware(at)
	id := int64(len(s.orders) + 1)
	quantity := int64(1)
	for quantity < 12 && s.dice.float() < 0.36 {
		quantity++
	}
	subtotal := s.wares[p].cents * quantity
	var discount any
	total := subtotal
	if s.dice.float() < 0.14 {
		off := subtotal * int64(5*(1+s.dice.below(4))) / 100
		discount, total = money(off), subtotal-off
	}
	tax := (total*int64(taxOf[organizations[o].country]) + 500) / 1000
	total += tax
	status := "delivered"
	switch x := s.dice.float(); {
	case x < 0.035:
		status = "returned"
	case x < 0.06:
		status = "cancelled"
	case lastDay.Sub(at) < 2*24*time.Hour:
		status = "placed"
	case lastDay.Sub(at) < 6*24*time.Hour:
		status = "shipped"
	}
	s.orders = append(s.orders, []any{id, int64(o + 1), m.id, int64(p + 1), quantity, money(subtotal), discount,
		money(tax), money(total), status, stamp(at)})
	if status == "delivered" && s.dice.float() < 0.09 {
		s.review(id, int64(o+1), m.id, p, at)
	}
	if status != "cancelled" {
		if monthly[o] == nil {
			monthly[o] = &bill{}
		}
		monthly[o].orders++
		monthly[o].cents += total
	}
}

// customer is the organisation that orders, among those that are there.
func (s *shop) customer(at time.Time) int {
	var sum float64
	for _, o := range organizations {
		if !at.Before(o.since) {
			sum += o.share
		}
	}
	x := s.dice.float() * sum
	for i, o := range organizations {
		if at.Before(o.since) {
			continue
		}
		if x -= o.share; x < 0 {
			return i
		}
	}
	return 0
}

// buyer is the person who orders; those who joined early do it more often.
func (s *shop) buyer(o int, at time.Time) member {
	joined := s.members[o]
	n := 1
	for n < len(joined) && !joined[n].joined.After(at) {
		n++
	}
	return joined[int(s.dice.float()*s.dice.float()*float64(n))]
}

// ware is the product that is ordered, by its appeal in that season.
func (s *shop) ware(at time.Time) int {
	season := math.Cos(2 * math.Pi * float64(at.YearDay()-10) / 365)
	for {
		i := s.dice.below(len(s.wares))
		w := s.wares[i]
		if s.dice.float()*3.2 < w.appeal*(1+w.winter*math.Round(season*100)/100) {
			return i
		}
	}
}

func (s *shop) review(order, organization, person int64, p int, at time.Time) {
	rating := min(max(int(math.Round(s.wares[p].quality+3.4*(s.dice.float()-0.5))), 1), 5)
	written := at.AddDate(0, 0, 3+s.dice.below(25)).Add(time.Duration(s.dice.below(9000)) * time.Second)
	if written.After(lastDay) {
		return
	}
	s.reviews = append(s.reviews, []any{int64(len(s.reviews) + 1), organization, order, person, int64(p + 1), int64(rating),
		s.dice.pick(opinions[rating-1]) + " " + s.dice.pick(remarks), stamp(written)})
}

// bill writes the month's invoices.
func (s *shop) bill(last time.Time, monthly map[int]*bill) {
	for o := range organizations {
		b := monthly[o]
		if b == nil {
			continue
		}
		issued := last.AddDate(0, 0, 1)
		due := issued.AddDate(0, 0, 30)
		status, paid := "paid", any(issued.AddDate(0, 0, 6+s.dice.below(34)).Format(time.DateOnly))
		switch age := lastDay.Sub(issued); {
		case age < 20*24*time.Hour:
			status, paid = "open", nil
		case s.dice.float() < 0.03:
			status, paid = "overdue", nil
		}
		id := int64(len(s.invoices) + 1)
		s.invoices = append(s.invoices, []any{id, int64(o + 1), fmt.Sprintf("INV-%d-%04d", issued.Year(), id), b.orders, money(b.cents),
			status, issued.Format(time.DateOnly), due.Format(time.DateOnly), paid})
	}
}

func money(cents int64) float64 { return float64(cents) / 100 }

// stamp is a moment as SQLite's own functions write it.
func stamp(t time.Time) string { return t.UTC().Format(time.DateTime) }
