package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// channel is where a write tells the other servers of its revision.
const channel = "sluice_revision"

// listen wakes the loop whenever somebody wrote, until ctx ends. What is not
// heard while the connection is down the next renewal finds.
func (n *node) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := n.hear(ctx)
		if ctx.Err() != nil {
			return
		}
		n.s.log.WarnContext(ctx, "notifications of the application database do not come; it is asked instead", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(n.s.lease / 3):
		}
	}
}

// hear listens on a connection of its own until that breaks.
func (n *node) hear(ctx context.Context) error {
	connecting, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	c, err := pgx.ConnectConfig(connecting, n.s.postgres.Copy())
	if err != nil {
		return err
	}
	defer func() {
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer stop()
		_ = c.Close(closing)
	}()
	if _, err := c.Exec(connecting, "listen "+channel); err != nil {
		return err
	}
	n.ring() // for what was said before
	for {
		if _, err := c.WaitForNotification(ctx); err != nil {
			return err
		}
		n.ring()
	}
}
