// Package cli is the command line: it turns arguments and environment into a
// struct, makes one call, and shows the result. `sluice serve` is where the
// parts of the program are put together.
//
// It decides nothing about permissions and holds no state of its own but the
// data folder's lock and key. Start reading at [Run], then at serve in
// serve.go.
package cli

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// Program is what the process was started with.
type Program struct {
	Version string   // as the build says; "" asks the build's own records
	Args    []string // without the program's name
	Env     func(string) string
	Stdout  io.Writer // what was asked for
	Stderr  io.Writer // logs and errors
}

// Run runs one command line and returns the exit code: 0 when the command did
// what it says, 1 when not. Errors are one sentence on Stderr. When ctx ends
// the command finishes what it began and returns.
func Run(ctx context.Context, p Program) int {
	if p.Version == "" {
		p.Version = builtVersion()
	}
	root := p.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(p.Stderr, "sluice: %s\n", strings.TrimSpace(err.Error()))
		return 1
	}
	return 0
}

func (p Program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "An analytics server whose core is access control",
		Long: `Sluice answers questions about databases, keeps the answers in collections and
dashboards, and lets administrators say who may see what - by hand, by API or
as code. Its HTTP API follows Metabase's.`,
		Example: `  sluice serve
  sluice serve --help
  sluice backup sluice.tar.gz
  sluice completion bash > /etc/bash_completion.d/sluice`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(p.serveCommand(), p.backupCommand(), p.restoreCommand(), p.dbCommand(), p.versionCommand())
	root.InitDefaultCompletionCmd(p.Args...)
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Example = `  sluice completion bash > /etc/bash_completion.d/sluice
  sluice completion zsh > "${fpath[1]}/_sluice"
  sluice completion fish > ~/.config/fish/completions/sluice.fish`
		}
	}
	return root
}

func (p Program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  sluice version
  sluice version | cut -d ' ' -f 2`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), "sluice %s %s %s/%s\n", p.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// builtVersion is the version that the Go tool recorded, for programs that
// were not built by the Makefile.
func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "unknown"
}
