package store

import "errors"

// errPending is returned by what is not built yet.
var errPending = errors.New("store: not built yet")
