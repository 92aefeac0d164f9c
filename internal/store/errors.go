package store

import "errors"

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("conflict with the present state")
	// ErrStale is a graph revision that is too old, unknown or in the future.
	ErrStale  = errors.New("the revision is not available")
	ErrClosed = errors.New("the store is closed")
	// ErrNoLease is what a server gets, and says, that has lost touch with the
	// others: what it knows of the permissions may no longer hold.
	ErrNoLease = errors.New("this server has lost touch with the others; try again later")
	// ErrChanged is a card, dashboard, collection, snippet or connection that is
	// no longer where or what it was when it was decided that somebody may change
	// or use it.
	ErrChanged = errors.New("somebody else changed it meanwhile")
)

// InvalidError is a value that cannot be stored. Its Message is meant for the
// person who sent it; Field is the name of the value on the wire, or empty
// when the refusal is about the whole.
type InvalidError struct {
	Field, Message string
}

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}
