package api

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
	"github.com/sluice-bi/sluice/internal/store"
)

type searchQuery struct {
	paging
	Text      string   `query:"q"`
	Models    []string `query:"models" enum:"card,dataset,metric,dashboard,collection,table,database,segment,action,indexed-entity,document"`
	IDs       []string `query:"ids"`
	Archived  bool     `query:"archived"`
	Database  *ID      `query:"table_db_id"`
	CreatedBy []string `query:"created_by"`
	CreatedAt string   `query:"created_at"`
	EditedAt  string   `query:"last_edited_at"`
	EditedBy  []string `query:"last_edited_by"`
	Personal  string   `query:"filter_items_in_personal_collection" enum:"all,only,only-mine,exclude,exclude-others"`
	SQL       bool     `query:"search_native_query"`
}

// longestSearch is how many characters a search may have.
const longestSearch = 1000

// mostIDs is how many ids a search may name.
const mostIDs = 1000

// search is the part of the query that the store selects by.
func (q *searchQuery) search(now time.Time) (store.Search, error) {
	if utf8.RuneCountInString(q.Text) > longestSearch {
		return store.Search{}, wrongField("q", "value must be at most 1000 characters long.")
	}
	s := store.Search{Text: store.NewText(q.Text), SQL: q.SQL, Database: catalog.DatabaseID(orZero(q.Database))}
	if q.Archived {
		s.Archived = store.OnlyArchived
	}
	ids, err := searchIDs("ids", q.IDs)
	if err != nil {
		return s, err
	}
	if len(ids) > 0 {
		if len(q.Models) != 1 {
			return s, wrongField("ids", "ids are of one kind: give exactly one of models with them.")
		}
		s.IDs = ids
	}
	people, err := searchIDs("created_by", q.CreatedBy)
	if err != nil {
		return s, err
	}
	for _, id := range people {
		s.Creators = append(s.Creators, permission.UserID(id))
	}
	if s.Created, err = searchSpan("created_at", q.CreatedAt, now); err != nil {
		return s, err
	}
	s.Edited, err = searchSpan("last_edited_at", q.EditedAt, now)
	return s, err
}

// ofData tells whether databases and tables can be among what is found.
func (q *searchQuery) ofData() bool {
	return !q.Archived && len(q.CreatedBy)+len(q.EditedBy) == 0 && q.CreatedAt == "" && q.EditedAt == ""
}

// lies tells whether something is found for where it lies.
func (q *searchQuery) lies(access permission.Access, f store.Found) bool {
	var owner permission.UserID
	if c := access.Graph().Collection(f.Collection); c != nil {
		owner = c.Owner
	}
	switch q.Personal {
	case "only":
		return owner != 0
	case "only-mine":
		return owner == access.User()
	case "exclude":
		return owner == 0
	case "exclude-others":
		return owner == 0 || owner == access.User()
	}
	return true
}

func searchIDs(name string, texts []string) ([]int64, error) {
	if len(texts) > mostIDs {
		return nil, wrongField(name, "value must be a list of at most 1000 entries.")
	}
	var ids []int64
	for _, t := range texts {
		id, err := strconv.ParseInt(t, 10, 64)
		if err != nil || id <= 0 {
			return nil, wrongField(name, "value must be an integer greater than zero.")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// lastDays reads stretches of time up to now, such as past30days and past2weeks~.
var lastDays = regexp.MustCompile(`^past([0-9]{1,4})(day|week|month|year)s(~?)$`)

// searchSpan reads a day, a stretch of days a~b that may be open at one side,
// today (thisday), or pastNdays, which ends yesterday, or today with a ~ at its
// end. Days are those of UTC.
func searchSpan(name, text string, now time.Time) (store.Span, error) {
	today := now.UTC().Truncate(24 * time.Hour)
	if text == "" {
		return store.Span{}, nil
	}
	if text == "thisday" || text == "today" {
		return store.Span{From: today, Until: today.AddDate(0, 0, 1)}, nil
	}
	if m := lastDays.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1]) // four digits
		span := store.Span{From: map[string]time.Time{"day": today.AddDate(0, 0, -n), "week": today.AddDate(0, 0, -7*n),
			"month": today.AddDate(0, -n, 0), "year": today.AddDate(-n, 0, 0)}[m[2]], Until: today}
		if m[3] != "" {
			span.Until = today.AddDate(0, 0, 1)
		}
		return span, nil
	}
	from, until, ranged := strings.Cut(text, "~")
	if !ranged {
		until = from
	}
	var span store.Span
	var errFrom, errUntil error
	if from != "" {
		span.From, errFrom = time.Parse(time.DateOnly, from)
	}
	if until != "" {
		span.Until, errUntil = time.Parse(time.DateOnly, until)
		span.Until = span.Until.AddDate(0, 0, 1)
	}
	if errFrom != nil || errUntil != nil || from == "" && until == "" {
		return store.Span{}, wrongField(name, "value must be a day such as 2024-05-01, days such as 2024-05-01~2024-05-31, or past30days.")
	}
	return span, nil
}
