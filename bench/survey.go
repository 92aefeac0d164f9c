package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// survey counts what reading a schema sends to PostgreSQL, by standing between.
func (b *bench) survey() error {
	if !b.needPostgres("statements of a sync") {
		return nil
	}
	s, err := b.open(newWorld(little()))
	if err != nil {
		return err
	}
	defer s.Close()
	var counts [2]int64
	sizes := [2]int{100, pick(b.quick, 300, 2000)}
	for i, tables := range sizes {
		address, err := b.newDatabase(fmt.Sprintf("sync_%d", tables))
		if err != nil {
			return err
		}
		if err := inPostgres(b.ctx, address, func(ctx context.Context, c *pgx.Conn) error {
			var ddl strings.Builder
			for t := range tables {
				fmt.Fprintf(&ddl, "create table t%d (id int primary key, name text, of int references t%d);\n", t, max(t-1, 0))
			}
			_, err := c.Exec(ctx, ddl.String())
			return err
		}); err != nil {
			return err
		}
		c, err := pgx.ParseConfig(address)
		if err != nil {
			return err
		}
		l, err := listenBetween(net.JoinHostPort(c.Host, fmt.Sprint(c.Port)))
		if err != nil {
			return err
		}
		defer l.Close()
		var made struct{ ID int64 }
		body := fmt.Sprintf(`{"name":"sync %d","engine":"postgres","details":{"host":"127.0.0.1","port":%d,"dbname":%q,"user":%q}}`, tables, l.port(), c.Database, c.User)
		if err := s.askFor(&made, "POST", "/api/database", body); err != nil {
			return err
		}
		// That it was read when it was connected is another matter.
		sync := fmt.Sprintf("/api/database/%d/sync_schema", made.ID)
		if err := s.askFor(nil, "POST", sync, ""); err != nil {
			return err
		}
		before := l.executed.Load()
		if err := s.askFor(nil, "POST", sync, ""); err != nil {
			return err
		}
		counts[i] = l.executed.Load() - before
		if n := s.tablesOf(made.ID); n != tables {
			return fmt.Errorf("%d of %d tables were read", n, tables)
		}
	}
	b.demand(fmt.Sprintf("statements for %d tables : %d", sizes[1], sizes[0]), "as many", counts[0] == counts[1] && counts[0] > 0, "%d : %d", counts[1], counts[0])
	return nil
}

// tablesOf is how many tables of a database the server knows.
func (s *server) tablesOf(id int64) (n int) {
	for d := range s.store.Graph().Catalog().Databases() {
		if int64(d.ID) == id {
			for range s.store.Graph().Catalog().Tables(d.ID) {
				n++
			}
		}
	}
	return n
}

// between passes on what clients and a PostgreSQL server say to each other,
// and counts the statements.
type between struct {
	net.Listener
	to       string
	executed atomic.Int64
}

func listenBetween(to string) (*between, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &between{Listener: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go b.serve(c)
		}
	}()
	return b, nil
}

func (b *between) port() int { return b.Addr().(*net.TCPAddr).Port }

func (b *between) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", b.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_ = b.forward(server, bufio.NewReader(client))
}

// forward passes on the client's messages (PostgreSQL's documentation,
// "Message Formats"): the first has no type, each other one begins with it.
func (b *between) forward(to io.Writer, from *bufio.Reader) error {
	for first := true; ; first = false {
		if !first {
			kind, err := from.ReadByte()
			if err != nil {
				return err
			}
			if kind == 'Q' || kind == 'E' { // a simple query, and Execute
				b.executed.Add(1)
			}
			if _, err := to.Write([]byte{kind}); err != nil {
				return err
			}
		}
		length, err := from.Peek(4)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(to, from, int64(binary.BigEndian.Uint32(length))); err != nil {
			return err
		}
	}
}
