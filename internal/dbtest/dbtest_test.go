package dbtest

import "testing"

func TestServersAnswerAndDatabasesAreEmpty(t *testing.T) {
	for _, server := range []func(testing.TB) *Server{PostgreSQL, MariaDB} {
		s := server(t)
		a, b := s.Database(t), s.Database(t)
		s.Exec(t, a, "CREATE TABLE only_here (id INT)")
		if err := s.Try(t.Context(), b, "SELECT * FROM only_here"); err == nil {
			t.Errorf("%s: two databases have the same table", s.Engine)
		}
	}
}
