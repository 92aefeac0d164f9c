package warehouse

import (
	"crypto/subtle"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/sluice-bi/sluice/internal/catalog"
	"github.com/sluice-bi/sluice/internal/query"
	"modernc.org/sqlite"
)

// wiring is a driver of the engine with what calls back into this package: the
// guard, and the function for hashes. The engine's binding never forgets a
// function, so a wiring is used again when its connection is closed. It serves
// one connection at a time.
type wiring struct {
	driver sqlite.Driver
	hash   string // the name of the function
	// Of the connection that it serves now:
	guard *guard
	token string           // that calls of the function must bring
	key   string           // with which it hashes
	keys  map[int64]string // that come of it, by the field
}

// wirings are those that no connection uses: for connections that are shared,
// and for SQL of people.
var wirings struct {
	sync.Mutex
	shared, governed []*wiring
}

// errNoToken is the error of a call that is not from a view.
var errNoToken = errors.New("the function is called by views only")

// wire takes a wiring that nobody uses, or makes one.
func wire(governed bool) (*wiring, error) {
	wirings.Lock()
	defer wirings.Unlock()
	free := &wirings.shared
	if governed {
		free = &wirings.governed
	}
	if n := len(*free); n > 0 {
		w := (*free)[n-1]
		*free = (*free)[:n-1]
		return w, nil
	}
	w := &wiring{hash: query.SQLiteHash}
	w.driver.RegisterConnectionHook(func(conn sqlite.ExecQuerierContext, _ string) error {
		r, ok := conn.(sqlite.AuthorizerRegisterer)
		if !ok {
			return errors.New("the driver has no authorizer")
		}
		return r.RegisterAuthorizer(w.guard.authorize)
	})
	var err error
	if governed {
		w.hash = unguessable("h")
		err = w.driver.RegisterDeterministicScalarFunction(w.hash, 3, w.hashed)
	} else {
		err = w.driver.RegisterDeterministicScalarFunction(w.hash, 2, keyedHash)
	}
	if err != nil {
		return nil, fmt.Errorf("warehouse: %w", err)
	}
	return w, nil
}

// unwire gives a wiring back when its connection is closed.
func (w *wiring) unwire() {
	w.guard, w.token, w.key, w.keys = nil, "", "", nil
	wirings.Lock()
	defer wirings.Unlock()
	if w.hash == query.SQLiteHash {
		wirings.shared = append(wirings.shared, w)
	} else {
		wirings.governed = append(wirings.governed, w)
	}
}

// hashed is the function of views: of the token, a field and a value.
func (w *wiring) hashed(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	token, is := args[0].(string)
	if !is || w.token == "" || subtle.ConstantTimeCompare([]byte(token), []byte(w.token)) != 1 {
		return nil, errNoToken
	}
	of, is := args[1].(int64)
	if !is {
		return nil, errors.New("a hash is of a field")
	}
	key, has := w.keys[of]
	if !has {
		key = query.HashKey(w.key, catalog.FieldID(of))
		if w.keys == nil {
			w.keys = map[int64]string{}
		}
		w.keys[of] = key
	}
	return keyedHash(nil, []driver.Value{key, args[2]})
}
