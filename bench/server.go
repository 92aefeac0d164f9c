package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sluice-bi/sluice/internal/api"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// server is the program in this process: a store and the API over it.
type server struct {
	store      *store.Store
	warehouses *warehouse.Pool
	handler    http.Handler
	path       string // of the SQLite file
	opened     time.Duration

	http *http.Server // nil until it listens
	site string
	door *dataset.Door
}

// open opens a store and puts the API over it. With a folder for the sample
// warehouse, that becomes the first database of an empty store.
func open(ctx context.Context, c store.Config, sample string) (*server, error) {
	begun := time.Now()
	s, err := store.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	sv := &server{store: s, path: c.Path, opened: time.Since(begun)}
	if err := s.Join(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	silent := slog.New(slog.DiscardHandler)
	sv.warehouses = warehouse.New(silent)
	door := dataset.New(s, sv.warehouses, dataset.Options{Logger: silent})
	if sample != "" {
		if err := door.AddSample(ctx, sample); err != nil {
			return nil, errors.Join(err, sv.Close())
		}
	}
	sv.door = door
	if err := sv.forget(); err != nil {
		return nil, errors.Join(err, sv.Close())
	}
	return sv, nil
}

// forget puts a new API over the store, which remembers no answers.
func (s *server) forget() error {
	a, err := api.New(api.Config{Store: s.store, Door: s.door, Logger: slog.New(slog.DiscardHandler), Version: "bench"})
	if err != nil {
		return err
	}
	s.handler = a.Handler()
	return nil
}

// open opens a store with the world in it.
func (b *bench) open(w *world) (*server, error) {
	c, err := b.filledStore(w)
	if err != nil {
		return nil, err
	}
	return open(b.ctx, c, "")
}

// Close ends the server.
func (s *server) Close() error {
	var errs []error
	if s.http != nil {
		errs = append(errs, s.http.Close())
	}
	return errors.Join(append(errs, s.warehouses.Close(), s.store.Close())...)
}

// listen answers on a port of this machine.
func (s *server) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.site = "http://" + l.Addr().String()
	s.http = &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.http.Serve(l) }() // ends with close
	return nil
}

// discard is an answer that nobody keeps.
type discard struct {
	header http.Header
	status int
	bytes  int64
	into   io.Writer
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(b []byte) (int, error) {
	d.bytes += int64(len(b))
	return d.into.Write(b)
}

// ask asks the handler itself, as an administrator, without a network between.
func (s *server) ask(into io.Writer, method, path, body string, header ...string) (*discard, error) {
	r, err := http.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Api-Key", apiKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	d := &discard{header: http.Header{}, status: http.StatusOK, into: into}
	s.handler.ServeHTTP(d, r)
	if d.status >= 300 {
		return nil, fmt.Errorf("%s %s: %d", method, path, d.status)
	}
	return d, nil
}

// askFor asks and reads the answer.
func (s *server) askFor(into any, method, path, body string, header ...string) error {
	var text bytes.Buffer
	if _, err := s.ask(&text, method, path, body, header...); err != nil {
		return err
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text.Bytes(), into)
}

// client calls a server over the network.
type client struct {
	http *http.Client
	site string
	key  string // the header's name and value
	as   string

	moved int64 // bytes of bodies, both ways
}

func newClient(site string) *client {
	return &client{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 2 * time.Minute}, site: site, key: "X-Api-Key", as: apiKey}
}

// statusError is an answer that is no success.
type statusError struct {
	call   string
	status int
	body   string
}

func (e *statusError) Error() string { return fmt.Sprintf("%s: %d: %.300s", e.call, e.status, e.body) }

// call makes one call and returns the answer's body.
func (c *client) call(ctx context.Context, method, path string, body []byte, header ...string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.site+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set(c.key, c.as)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	c.moved += int64(len(body) + len(text))
	if answer.StatusCode >= 300 {
		return text, &statusError{method + " " + path, answer.StatusCode, string(text)}
	}
	return text, nil
}

func hasStatus(err error, status int) bool {
	var s *statusError
	return errors.As(err, &s) && s.status == status
}
