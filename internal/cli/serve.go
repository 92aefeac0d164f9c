package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-bi/sluice/internal/api"
	"github.com/sluice-bi/sluice/internal/dataset"
	"github.com/sluice-bi/sluice/internal/store"
	"github.com/sluice-bi/sluice/internal/warehouse"
)

// finishWithin is how long running requests may take to finish after the
// first signal.
const finishWithin = 30 * time.Second

func (p Program) serveCommand() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until it is told to stop (SIGINT or SIGTERM): it then takes no
new requests, finishes the running ones within 30 seconds and ends. A second
signal ends it at once.

Without further ado it keeps everything in the data folder: the application
database (SQLite), the key that seals connection details, and a sample
warehouse to ask questions of. Only one server at a time can have the folder,
and only its owner may enter it. With --database-url the application database
is in PostgreSQL; its key is then expected in SLUICE_SECRET_KEY.

On an empty application database the server prints a token, good once, with
which the first administrator is set up. With SLUICE_ADMIN_EMAIL and
SLUICE_ADMIN_PASSWORD set it creates that administrator instead.

Every flag has an environment variable, named in parentheses below; a flag
counts more. Secrets have variables only:
  SLUICE_SECRET_KEY       32 bytes in base64 that seal connection details
  SLUICE_ADMIN_EMAIL      the first administrator of an empty database
  SLUICE_ADMIN_PASSWORD   and that administrator's password`,
		Example: `  # everything in ./data, on http://127.0.0.1:3000
  sluice serve

  # another port and folder
  sluice serve --addr 127.0.0.1:8080 --data /var/lib/sluice

  # behind a proxy on 10.0.0.7 that speaks https, with PostgreSQL
  export SLUICE_DATABASE_URL=postgres://sluice:secret@db.internal/sluice
  export SLUICE_SECRET_KEY=$(openssl rand -base64 32)   # once, and kept
  sluice serve --addr 0.0.0.0:3000 --trusted-proxy 10.0.0.7

  # set up without a person
  SLUICE_ADMIN_EMAIL=ops@example.com SLUICE_ADMIN_PASSWORD=... sluice serve`,
		Args: cobra.NoArgs,
	}
	o.flags(c.Flags())
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := o.complete(c.Flags(), p.Env); err != nil {
			return err
		}
		return p.serve(c.Context(), o)
	}
	return c
}

// serve puts the program together and answers requests until ctx ends.
func (p Program) serve(ctx context.Context, o options) (err error) {
	log := o.logger(p.Stderr)
	folder, err := openFolder(o.data)
	if err != nil {
		return err
	}
	defer folder.Close()
	key, err := folder.key(o.secretKey, o.databaseURL != "")
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, store.Config{Path: folder.file(databaseFile), URL: o.databaseURL, Key: key, Logger: log})
	if err != nil {
		return fmt.Errorf("application database: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	// It leaves the other servers when it is closed: after the last answer.
	if err := st.Join(ctx); err != nil {
		return fmt.Errorf("application database: %w", err)
	}

	warehouses := warehouse.New(log)
	defer func() { err = errors.Join(err, warehouses.Close()) }()
	door := dataset.New(st, warehouses, dataset.Options{Logger: log})
	defer door.Close()
	if err := door.AddSample(ctx, folder.path); err != nil {
		return fmt.Errorf("sample warehouse: %w", err)
	}
	behind, stop := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer stop()
	working.Go(func() { door.Work(behind) })
	a, err := api.New(api.Config{Store: st, Door: door, Logger: log, Version: p.Version, TrustedProxies: o.proxies})
	if err != nil {
		return err
	}
	token, err := o.firstRun(ctx, a, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", o.addr)
	if err != nil {
		return fmt.Errorf("%w; give another address with --addr", err)
	}
	p.welcome("http://"+listener.Addr().String(), token)
	log.Info("listening", "addr", listener.Addr().String(), "version", p.Version, "data", folder.path, "database", o.shownDatabase())
	return answer(ctx, listener, a.Handler(), log)
}

// firstRun prepares an empty application database for its first
// administrator: it creates the one that the environment names, or returns the
// token for setting one up. On any other database it does nothing.
func (o options) firstRun(ctx context.Context, a *api.API, log *slog.Logger) (token string, err error) {
	if o.adminEmail == "" {
		token, err = a.IssueSetupToken(ctx)
		if err != nil {
			return "", fmt.Errorf("set-up token: %w", err)
		}
		return token, nil
	}
	created, err := a.SetUpUnattended(ctx, o.adminEmail, o.adminPassword)
	if err != nil {
		return "", fmt.Errorf("the first administrator cannot be created from SLUICE_ADMIN_EMAIL and SLUICE_ADMIN_PASSWORD: %w", err)
	}
	if created {
		log.Info("created the first administrator", "email", o.adminEmail)
	}
	return "", nil
}

// welcome tells the person at the terminal where the server is and, when
// nobody has been set up, how to. The token goes here and never to the log.
func (p Program) welcome(site, token string) {
	fmt.Fprintf(p.Stdout, "Sluice is up at %s\n", site)
	if token == "" {
		return
	}
	fmt.Fprintf(p.Stdout, `
Nobody has been set up yet. Whoever has this token becomes the first
administrator; it is good once, and a new one is made at every start.

    setup token: %[2]s
    setup link:  %[1]s/#setup-token=%[2]s

    curl %[1]s/api/setup -H 'Content-Type: application/json' \
      -d '{"token": "%[2]s", "user": {"email": "you@example.com", "password": "..."}}'

`, site, token)
}

// answer serves until ctx ends, then lets running requests finish.
func answer(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	// Bodies and answers have deadlines that move as their bytes do, which the
	// handler sets: a fixed one would cut a large graph on a slow line.
	server := &http.Server{
		Handler:           handler,
		ConnContext:       api.ConnContext,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(api.Listener(listener)) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("server: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping: running requests may finish", "within", finishWithin)
	// Not from ctx, which has ended.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishWithin)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		return fmt.Errorf("some requests did not finish within %s and were cut off: %w", finishWithin, errors.Join(err, server.Close()))
	}
	log.Info("stopped")
	return nil
}

func (o options) logger(w io.Writer) *slog.Logger {
	if o.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}
