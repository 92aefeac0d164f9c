package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a sluice of its own, on the PostgreSQL of the run.
type process struct {
	cmd    *exec.Cmd
	site   string
	output *output
	ended  chan struct{}
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// build makes the program out of the tree that this module stands in.
func (b *bench) build() (string, error) {
	root, err := exec.CommandContext(b.ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sluice-bi/sluice").Output()
	if err != nil {
		return "", fmt.Errorf("go list, which is to be run in the folder bench: %w", err)
	}
	program := filepath.Join(b.own, "sluice")
	c := exec.CommandContext(b.ctx, "go", "build", "-o", program, "./cmd/sluice")
	c.Dir = strings.TrimSpace(string(root))
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return program, nil
}

// start starts the program and waits until it says where it is.
func (b *bench) start(program, name, database string) (*process, error) {
	p := &process{output: new(output), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(b.ctx, program, "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(b.own, name))
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SLUICE_DATABASE_URL=" + database, //nolint:forbidigo // what a person's shell would give
		"SLUICE_SECRET_KEY=" + base64.StdEncoding.EncodeToString(storeKey())}
	p.cmd.Stderr = p.output
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	up := make(chan string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if site, is := strings.CutPrefix(lines.Text(), "Sluice is up at "); is {
				up <- site
			}
		}
		_ = p.cmd.Wait() // however it ends, it has ended
	}()
	select {
	case p.site = <-up:
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("the server did not start: %s", p.output)
	case <-time.After(2 * time.Minute):
		return nil, errors.Join(errors.New("the server does not say where it is"), p.stop())
	}
}

// stop ends the process, asking first.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGCONT) // it may have ended
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return nil
	case <-time.After(40 * time.Second):
		return p.cmd.Process.Kill()
	}
}

// until waits until something holds.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	for deadline := time.Now().Add(time.Minute); ; {
		is, err := holds()
		if err != nil || is {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", what, errMissing)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}
