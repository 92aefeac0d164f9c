package query

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/permission"
)

// masked tells what a column is shown as where some sandbox changes it.
type masked struct {
	base string // the type of what is shown
	sql  fragment
}

// cell writes what the sandboxes show of a column: in a row that several of them
// show, the most that one of them shows of the column, and null in rows of
// which none shows it. Nil when all of them show it as it is.
func (c *compiler) cell(t *catalog.Table, f *catalog.Field, filters []permission.Filter) (*masked, error) {
	var masks []permission.Mask // the different ones, as it is first
	var shows []permission.Filter
	for _, filter := range filters {
		mask, is := filter.Column(f.ID)
		if !is {
			continue
		}
		shows = append(shows, filter)
		if !slices.Contains(masks, mask) {
			masks = append(masks, mask)
		}
	}
	slices.SortStableFunc(masks, func(a, b permission.Mask) int { return rank(a) - rank(b) })
	whole := len(shows) == len(filters)
	if whole && len(masks) == 1 && masks[0].Kind == permission.Unmasked {
		return nil, nil
	}
	m := &masked{base: f.BaseType}
	x := c.Dialect.stored(f, c.raw(f))
	if slices.ContainsFunc(masks, func(m permission.Mask) bool { return m.Kind == permission.MaskHash || m.Kind == permission.MaskPartial }) {
		m.base = "type/Text" // in every row
	}
	if whole && len(masks) == 1 {
		var err error
		m.sql, err = c.masking(f, x, masks[0], m.base)
		return m, err
	}
	m.sql = text("(CASE")
	for _, mask := range masks {
		var having []permission.Filter
		for _, filter := range shows {
			if is, _ := filter.Column(f.ID); is == mask {
				having = append(having, filter)
			}
		}
		when, err := c.rowCondition(t, having)
		if err != nil {
			return nil, err
		}
		then, err := c.masking(f, x, mask, m.base)
		if err != nil {
			return nil, err
		}
		m.sql = cat(m.sql, " WHEN ", when, " THEN ", then)
	}
	m.sql = cat(m.sql, " END)")
	return m, nil
}

// rank orders masks by how much they show, the most first.
func rank(m permission.Mask) int {
	kind := slices.Index([]permission.MaskKind{permission.Unmasked, permission.MaskDate, permission.MaskPartial, permission.MaskHash, permission.MaskNull}, m.Kind)
	return 100*kind + slices.Index([]string{"month", "quarter", "year"}, m.Unit) - m.Last
}

// masking writes what stands in place of a column's value, as a value of the
// type base: its own, or text.
func (c *compiler) masking(f *catalog.Field, x fragment, m permission.Mask, base string) (fragment, error) {
	k := classOf(f.BaseType)
	asText := func(x fragment) fragment {
		if base == f.BaseType || k == aText {
			return x
		}
		return c.Dialect.cast("text", k, x)
	}
	switch m.Kind {
	case permission.Unmasked:
		return asText(x), nil
	case permission.MaskNull:
		return cat("(CASE WHEN 1 = 0 THEN ", asText(x), " END)"), nil // a null of the type
	case permission.MaskDate:
		if k.ofDay() {
			c.risk()
			return asText(c.cut(unit(m.Unit), k, x)), nil
		}
		return nil, c.unmaskable(f, noDate)
	}
	if k != aText {
		x = c.Dialect.cast("text", k, x)
	}
	if m.Kind == permission.MaskPartial {
		return c.Dialect.lastOf(x, m.Last), nil
	}
	if len(c.MaskKey) == 0 && !c.judging {
		return nil, c.unmaskable(f, "there is no key for its hash")
	}
	c.risk() // a text in no known encoding cannot be hashed
	if c.viewing && c.boundary == nil {
		c.keyed = true
		return cat(fragment{{hash: true}}, itoa(int64(f.ID))+", ", x, ")"), nil
	}
	c.keyed = c.keyed || !c.overViews
	return c.Dialect.keyedHash(x, HashKey(c.MaskKey, f.ID)), nil
}

func (c *compiler) unmaskable(f *catalog.Field, reason string) error {
	return &PolicyError{User: c.Access.User(), Table: f.Table, Field: f.ID, Reason: reason}
}

// HashKey is the key of the hashes of one field, which stands before what is
// hashed. Who learns it can undo no hash of another field.
func HashKey(key string, of catalog.FieldID) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(itoa(int64(of))))
	return hex.EncodeToString(mac.Sum(nil))
}
