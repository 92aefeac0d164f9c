package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// server is a running Sluice that a command asks, and the key it shows.
type server struct {
	url string
	key string
}

func (p Program) server(c *cobra.Command, flag string) (server, error) {
	s := server{url: flag, key: p.Env("SLUICE_API_KEY")}
	if value := p.Env("SLUICE_URL"); value != "" && !c.Flags().Changed("url") {
		s.url = value
	}
	u, err := url.Parse(s.url)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return s, errors.New("the address of the server is not of the form https://sluice.example.com: give it with --url or SLUICE_URL")
	}
	if s.key == "" {
		return s, errors.New("no API key: set SLUICE_API_KEY to one of a member of Administrators (POST /api/api-key)")
	}
	s.url = strings.TrimRight(s.url, "/")
	return s, nil
}

// ask makes one call and reads its answer. An answer that is not 2xx is an
// error with the server's words.
func (s server) ask(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = strings.NewReader(string(text))
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Minute)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("X-Api-Key", s.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("the server's answer breaks off: %w", err)
	}
	if res.StatusCode/100 != 2 {
		var said struct{ Message string }
		if json.Unmarshal(text, &said) == nil && said.Message != "" {
			return fmt.Errorf("the server says (%d): %s", res.StatusCode, said.Message)
		}
		return fmt.Errorf("the server says (%d): %s", res.StatusCode, strings.TrimSpace(string(text)))
	}
	return json.Unmarshal(text, into)
}

// database finds a database by its id or its name.
func (s server) database(ctx context.Context, named string) (id int, err error) {
	if id, err := strconv.Atoi(named); err == nil {
		return id, nil
	}
	var all struct {
		Data []struct {
			ID   int
			Name string
		}
	}
	if err := s.ask(ctx, http.MethodGet, "/api/database", nil, &all); err != nil {
		return 0, err
	}
	for _, d := range all.Data {
		if d.Name == named {
			if id != 0 {
				return 0, fmt.Errorf("several databases are called %q; say which by its id", named)
			}
			id = d.ID
		}
	}
	if id == 0 {
		return 0, fmt.Errorf("there is no database %q", named)
	}
	return id, nil
}

// finding is one of the doctor's.
type finding struct{ Severity, Check, Message, Fix string }

func (p Program) dbCommand() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "db",
		Short: "Look after what holds SQL of people inside of databases",
		Long: `SQL that people type is held to what they may see. Inside of PostgreSQL and
MariaDB that is done by logins and views which an administrator of the server
sets up once, and which Sluice checks. These commands ask a running server, with
the API key of an administrator in SLUICE_API_KEY.`,
		Example: `  sluice db setup Shop | psql shop
  sluice db doctor Shop`,
	}
	c.PersistentFlags().StringVar(&at, "url", "http://127.0.0.1:3000", "address of the server (SLUICE_URL)")
	c.AddCommand(p.doctorCommand(&at), p.setupCommand(&at))
	return c
}

func oneDatabase(_ *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return errors.New("name one database, by its name in Sluice or its id")
	}
	return nil
}

func (p Program) doctorCommand(at *string) *cobra.Command {
	var slots int
	c := &cobra.Command{
		Use:   "doctor DATABASE",
		Short: "Prove that SQL of people is held to what they may see in a database",
		Long: `Reads what the database server says of the logins and views that hold SQL of
people, and attacks them. Prints what stands against them and the SQL that mends
it. Ends with 1 when SQL of people does not run because of that.`,
		Example: `  sluice db doctor Shop
  sluice db doctor 3 --url https://sluice.example.com`,
		Args: oneDatabase,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := p.server(c, *at)
			if err != nil {
				return err
			}
			id, err := s.database(c.Context(), args[0])
			if err != nil {
				return err
			}
			var g struct {
				Governs  bool
				HeldBy   string `json:"held_by"`
				Slots    int
				Findings []finding
			}
			method, body := http.MethodGet, any(nil)
			if slots > 0 {
				method, body = http.MethodPost, map[string]any{"slots": slots, "by_hand": true}
			}
			if err := s.ask(c.Context(), method, fmt.Sprintf("/api/database/%d/governance", id), body, &g); err != nil {
				return err
			}
			return diagnosis(c.OutOrStdout(), args[0], g.HeldBy, g.Slots, g.Governs, g.Findings)
		},
	}
	c.Flags().IntVar(&slots, "slots", 0, "how many slots there are, where the set-up was given another number than before")
	return c
}

// diagnosis prints what the doctor found.
func diagnosis(out io.Writer, name, by string, slots int, governs bool, findings []finding) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Severity, f.Check, f.Message)
		if f.Fix != "" {
			fmt.Fprintf(w, "\t\t%s\n", strings.ReplaceAll(f.Fix, "\n", "\n\t\t"))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case !governs:
		return fmt.Errorf("%s does not hold SQL of people to what they may see: only those from whom nothing of it is hidden may run SQL", name)
	case by == "logins":
		_, err := fmt.Fprintf(out, "%s holds SQL of people to what they may see, by logins; %d statements run at a time.\n", name, slots)
		return err
	}
	_, err := fmt.Fprintf(out, "%s holds SQL of people to what they may see; Sluice does that by itself.\n", name)
	return err
}

func (p Program) setupCommand(at *string) *cobra.Command {
	var slots int
	var noViews, mysql8 bool
	c := &cobra.Command{
		Use:   "setup DATABASE",
		Short: "Print the SQL that sets up what holds SQL of people in a database",
		Long: `Prints a script for an administrator of the database server: logins, schemas and
grants, with the reason of each. It holds no password. Run it again when tables
were added. Afterwards run sluice db doctor.`,
		Example: `  sluice db setup Shop > setup.sql
  sluice db setup Shop --slots 16 | psql shop`,
		Args: oneDatabase,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := p.server(c, *at)
			if err != nil {
				return err
			}
			id, err := s.database(c.Context(), args[0])
			if err != nil {
				return err
			}
			var script struct{ SQL string }
			path := fmt.Sprintf("/api/database/%d/governance/script?views=%v", id, !noViews)
			if mysql8 {
				path += "&mysql8=true"
			}
			if slots > 0 {
				path += "&slots=" + strconv.Itoa(slots)
			}
			if err := s.ask(c.Context(), http.MethodGet, path, nil, &script); err != nil {
				return err
			}
			_, err = io.WriteString(c.OutOrStdout(), script.SQL)
			return err
		},
	}
	c.Flags().IntVar(&slots, "slots", 0, "how many statements of people run at a time")
	c.Flags().BoolVar(&mysql8, "mysql8", false, "the server is MySQL itself and not MariaDB: nobody has run the script there, and SQL of people stays refused")
	c.Flags().BoolVar(&noViews, "no-views", false, "Sluice may not make views; an administrator runs what it prints")
	return c
}
