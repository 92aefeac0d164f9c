package store

import "errors"

// errPending is returned by what is not built yet.
var errPending = errors.New("store: not built yet")

// Store is the application database and the current permission state.
type Store struct{}
