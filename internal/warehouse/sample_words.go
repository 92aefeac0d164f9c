package warehouse

import (
	"slices"
	"time"
)

// dice is a small generator of numbers that are the same everywhere
// (splitmix64).
type dice uint64

func (d *dice) next() uint64 {
	*d += 0x9E3779B97F4A7C15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// float is at least 0 and below 1.
func (d *dice) float() float64 { return float64(d.next()>>11) / (1 << 53) }

func (d *dice) below(n int) int { return int(d.next() % uint64(n)) }

func (d *dice) pick(words []string) string { return words[d.below(len(words))] }

// daytime is a time of the day, most often in the afternoon.
func (d *dice) daytime() time.Duration {
	hours := 6 + 8*d.float() + 9.9*d.float()
	return time.Duration(hours*3600) * time.Second
}

func sortTimes(t []time.Time) { slices.SortFunc(t, time.Time.Compare) }

func sortByJoining(m []member) {
	slices.SortStableFunc(m, func(a, b member) int { return a.joined.Compare(b.joined) })
}

// organization is a customer of the shop and its part of the business.
type organization struct {
	name, industry, country, plan string
	share                         float64
	since                         time.Time
}

func since(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 9, 0, 0, 0, time.UTC)
}

var organizations = []organization{
	{"Northwind Outfitters", "Retail", "United States", "enterprise", 0.27, since(2021, time.March, 15)},
	{"Hallmann & Sons", "Wholesale", "Germany", "enterprise", 0.19, since(2021, time.September, 1)},
	{"Maple Street Homes", "Real estate", "Canada", "business", 0.14, since(2022, time.February, 10)},
	{"Lumen Studios", "Media", "United Kingdom", "business", 0.11, since(2022, time.May, 23)},
	{"Atelier Colbert", "Hospitality", "France", "business", 0.09, since(2022, time.October, 4)},
	{"Kestrel Logistics", "Transport", "Netherlands", "business", 0.07, since(2022, time.December, 12)},
	{"Bluefin Labs", "Technology", "United States", "starter", 0.05, since(2023, time.June, 19)},
	{"Oak & Ivy Schools", "Education", "United Kingdom", "starter", 0.04, since(2023, time.November, 2)},
	{"Sonnenhof Clinics", "Health", "Germany", "starter", 0.03, since(2024, time.April, 8)},
	{"Tiny Harbor Cafe", "Hospitality", "Canada", "free", 0.01, since(2024, time.September, 16)},
}

var countries = []string{"United States", "Germany", "Canada", "United Kingdom", "France", "Netherlands"}

var citiesOf = map[string][]string{
	"United States":  {"Portland", "Austin", "Chicago", "Denver", "Boston", "Seattle", "Atlanta", "Minneapolis"},
	"Germany":        {"Berlin", "Hamburg", "Leipzig", "Munich", "Cologne", "Stuttgart"},
	"Canada":         {"Toronto", "Vancouver", "Halifax", "Montreal", "Calgary"},
	"United Kingdom": {"London", "Bristol", "Leeds", "Edinburgh", "Cardiff"},
	"France":         {"Paris", "Lyon", "Nantes", "Toulouse", "Lille"},
	"Netherlands":    {"Amsterdam", "Utrecht", "Rotterdam", "Groningen"},
}

// taxOf is in thousandths.
var taxOf = map[string]int{"United States": 62, "Germany": 190, "Canada": 130, "United Kingdom": 200, "France": 200, "Netherlands": 210}

// category is a shelf of the shop. cents is a usual price.
type category struct {
	name      string
	nouns     []string
	materials []string
	cents     int
	winter    float64
}

var categories = []category{
	{"Furniture", []string{"Desk", "Chair", "Bookshelf", "Side Table", "Bench"}, []string{"Oak", "Walnut", "Steel", "Bamboo"}, 18900, 0.05},
	{"Lighting", []string{"Desk Lamp", "Floor Lamp", "Pendant", "Lantern"}, []string{"Brass", "Glass", "Paper", "Aluminum"}, 6900, 0.35},
	{"Kitchen", []string{"Kettle", "Pan", "Mug Set", "Knife", "Cutting Board"}, []string{"Copper", "Enamel", "Maple", "Ceramic"}, 4200, 0.2},
	{"Garden", []string{"Planter", "Watering Can", "Parasol", "Hose Reel"}, []string{"Clay", "Zinc", "Teak", "Canvas"}, 5400, -0.7},
	{"Office", []string{"Notebook", "Pen Set", "Organizer", "Monitor Stand", "Backpack"}, []string{"Linen", "Leather", "Cork", "Recycled"}, 2900, 0.0},
	{"Textiles", []string{"Blanket", "Cushion", "Rug", "Curtain"}, []string{"Wool", "Cotton", "Jute", "Velvet"}, 7400, 0.45},
}

var (
	adjectives = []string{"Quiet", "Nordic", "Classic", "Compact", "Rustic", "Bright", "Slim", "Sturdy", "Modern", "Foldable", "Handmade", "Everyday"}
	vendors    = []string{"Aldgate Works", "Brackwater", "Casa Fina", "Dunmore", "Estuary Goods", "Fjordlys", "Granary Row", "Hearth & Co"}
	sources    = []string{"Search", "Search", "Referral", "Newsletter", "Partner", "Trade fair"}
	firstNames = []string{"Ada", "Amir", "Anna", "Ben", "Carla", "Chloe", "Daniel", "Elif", "Emil", "Emma", "Felix", "Grace", "Hana", "Hugo", "Ines",
		"Ivan", "Jonas", "Julia", "Karim", "Klara", "Leo", "Lina", "Lucas", "Maya", "Mia", "Nina", "Noah", "Olga", "Oscar", "Paula", "Rosa", "Ruben",
		"Samir", "Sara", "Simon", "Tessa", "Theo", "Vera", "Yusuf", "Zoe"}
	lastNames = []string{"Abel", "Bauer", "Becker", "Berg", "Brown", "Carter", "Dubois", "Evans", "Fischer", "Garcia", "Haas", "Hughes", "Ito", "Jansen",
		"Kaya", "Keller", "Khan", "Laurent", "Lopez", "Martin", "Meyer", "Moreau", "Murphy", "Nguyen", "Novak", "Olsen", "Park", "Patel", "Petit", "Quinn",
		"Rossi", "Roy", "Sato", "Schmidt", "Silva", "Smith", "Taylor", "Visser", "Weber", "Wilson", "Young", "Zimmer"}
	opinions = [5][]string{
		{"Broke within a week.", "Not what was shown.", "I sent it back."},
		{"Less than I hoped for.", "Feels cheap for its price.", "It arrived with scratches."},
		{"Does what it should.", "Neither good nor bad.", "All right for the price."},
		{"A good buy.", "Well made.", "We use it every day."},
		{"Could not be better.", "Exactly what we were looking for.", "Beautiful work."},
	}
	remarks = []string{"Delivery was quick.", "Delivery took long.", "The packing was good.", "We may order again.", "The color is darker than in the picture.",
		"My colleagues agree.", "The manual could be clearer.", "It fits our office."}
)
