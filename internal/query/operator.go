package query

// operator is what Parse knows about a clause. Each argument has the use of
// args, the last entry standing for all further ones.
type operator struct {
	use      use
	min, max int
	args     []use
	options  bool       // may end with {"case-sensitive": ...}
	units    []unitKind // of the unit that stands behind the arguments; nil for none
}

// Lists of values may be long, lists of operands are written out as SQL.
const (
	maxValues   = 10_000
	maxOperands = 100
)

var (
	conditions = []use{asCondition}
	values     = []use{asValue}
	cuts       = []unitKind{cut}
)

var operators = map[string]operator{
	"and":     {use: asCondition, min: 1, max: maxValues, args: conditions},
	"or":      {use: asCondition, min: 1, max: maxValues, args: conditions},
	"not":     {use: asCondition, min: 1, max: 1, args: conditions},
	"=":       {use: asCondition, min: 2, max: maxValues, args: values},
	"!=":      {use: asCondition, min: 2, max: maxValues, args: values},
	"<":       {use: asCondition, min: 2, max: 2, args: values},
	"<=":      {use: asCondition, min: 2, max: 2, args: values},
	">":       {use: asCondition, min: 2, max: 2, args: values},
	">=":      {use: asCondition, min: 2, max: 2, args: values},
	"between": {use: asCondition, min: 3, max: 3, args: values},
	"inside":  {use: asCondition, min: 6, max: 6, args: values},
	"during":  {use: asCondition, min: 2, max: 2, args: values, units: cuts},

	"is-null":   {use: asCondition, min: 1, max: 1, args: values},
	"not-null":  {use: asCondition, min: 1, max: 1, args: values},
	"is-empty":  {use: asCondition, min: 1, max: 1, args: values},
	"not-empty": {use: asCondition, min: 1, max: 1, args: values},

	"contains":         {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"does-not-contain": {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"starts-with":      {use: asCondition, min: 2, max: maxOperands, args: values, options: true},
	"ends-with":        {use: asCondition, min: 2, max: maxOperands, args: values, options: true},

	"+":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"-":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"*":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"/":        {use: asValue | asAggregation, min: 2, max: maxOperands},
	"abs":      {use: asValue | asAggregation, min: 1, max: 1},
	"ceil":     {use: asValue | asAggregation, min: 1, max: 1},
	"floor":    {use: asValue | asAggregation, min: 1, max: 1},
	"round":    {use: asValue | asAggregation, min: 1, max: 1},
	"power":    {use: asValue | asAggregation, min: 2, max: 2},
	"sqrt":     {use: asValue | asAggregation, min: 1, max: 1},
	"exp":      {use: asValue | asAggregation, min: 1, max: 1},
	"log":      {use: asValue | asAggregation, min: 1, max: 1},
	"coalesce": {use: asValue | asAggregation, min: 1, max: maxOperands},

	"concat":            {use: asValue, min: 2, max: maxOperands, args: values},
	"lower":             {use: asValue, min: 1, max: 1, args: values},
	"upper":             {use: asValue, min: 1, max: 1, args: values},
	"trim":              {use: asValue, min: 1, max: 1, args: values},
	"ltrim":             {use: asValue, min: 1, max: 1, args: values},
	"rtrim":             {use: asValue, min: 1, max: 1, args: values},
	"length":            {use: asValue, min: 1, max: 1, args: values},
	"substring":         {use: asValue, min: 2, max: 3, args: values},
	"replace":           {use: asValue, min: 3, max: 3, args: values},
	"split-part":        {use: asValue, min: 3, max: 3, args: values},
	"regex-match-first": {use: asValue, min: 2, max: 2, args: values},
	"host":              {use: asValue, min: 1, max: 1, args: values},
	"domain":            {use: asValue, min: 1, max: 1, args: values},
	"subdomain":         {use: asValue, min: 1, max: 1, args: values},
	"path":              {use: asValue, min: 1, max: 1, args: values},

	"integer": {use: asValue, min: 1, max: 1, args: values},
	"float":   {use: asValue, min: 1, max: 1, args: values},
	"text":    {use: asValue, min: 1, max: 1, args: values},
	"date":    {use: asValue, min: 1, max: 1, args: values},

	"now":              {use: asValue},
	"today":            {use: asValue},
	"datetime-diff":    {use: asValue, min: 2, max: 2, args: values, units: cuts},
	"convert-timezone": {use: asValue, min: 2, max: 3, args: values},
	"month-name":       {use: asValue, min: 1, max: 1, args: values},
	"quarter-name":     {use: asValue, min: 1, max: 1, args: values},
	"day-name":         {use: asValue, min: 1, max: 1, args: values},

	"count":          {use: asAggregation, min: 0, max: 1, args: values},
	"cum-count":      {use: asAggregation, min: 0, max: 1, args: values},
	"sum":            {use: asAggregation, min: 1, max: 1, args: values},
	"cum-sum":        {use: asAggregation, min: 1, max: 1, args: values},
	"avg":            {use: asAggregation, min: 1, max: 1, args: values},
	"min":            {use: asAggregation, min: 1, max: 1, args: values},
	"max":            {use: asAggregation, min: 1, max: 1, args: values},
	"distinct":       {use: asAggregation, min: 1, max: 1, args: values},
	"median":         {use: asAggregation, min: 1, max: 1, args: values},
	"percentile":     {use: asAggregation, min: 2, max: 2, args: values},
	"stddev":         {use: asAggregation, min: 1, max: 1, args: values},
	"var":            {use: asAggregation, min: 1, max: 1, args: values},
	"share":          {use: asAggregation, min: 1, max: 1, args: conditions},
	"count-where":    {use: asAggregation, min: 1, max: 1, args: conditions},
	"sum-where":      {use: asAggregation, min: 2, max: 2, args: []use{asValue, asCondition}},
	"distinct-where": {use: asAggregation, min: 2, max: 2, args: []use{asValue, asCondition}},
	"offset":         {use: asAggregation, min: 2, max: 2, args: []use{asAggregation, asValue}},
}

// other names of operators.
var synonyms = map[string]string{"if": "case", "in": "=", "not-in": "!="}

// extracts are the clauses that take one part of a date, by the part.
var extracts = map[string]unit{"get-year": "year-of-era", "get-quarter": "quarter-of-year", "get-month": "month-of-year",
	"get-day": "day-of-month", "get-hour": "hour-of-day", "get-minute": "minute-of-hour", "get-second": "second-of-minute",
	"get-week": "week-of-year-iso", "get-day-of-week": "day-of-week"}

// modes are the parts that stand for others when a way of counting is named.
var modes = map[unit]map[string]unit{
	"week-of-year-iso": {"iso": "week-of-year-iso", "us": "week-of-year-us", "instance": "week-of-year"},
	"week-of-year":     {"iso": "week-of-year-iso", "us": "week-of-year-us", "instance": "week-of-year"},
	"day-of-week":      {"iso": "day-of-week-iso", "us": "day-of-week-us", "instance": "day-of-week"},
}

// later are clauses that exist and that nobody has built here yet.
var later = map[string]bool{"segment": true, "measure": true, "binning-strategy": true, "template-tag": true, "collate": true}
