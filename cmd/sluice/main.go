// Command sluice is the server and its tools. This file holds signals and the
// exit code; what the program does is in internal/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/sluice-bi/sluice/internal/cli"
)

var version string // set by the linker, see the Makefile

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks the program to finish; from then on signals do what
	// they always do, so the second one ends it at once.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, cli.Program{
		Version: version, Args: os.Args[1:], Env: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	stop()
	os.Exit(code)
}
