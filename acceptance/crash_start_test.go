package acceptance_test

import (
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"
)

// A first start makes the folder, the key, the application database, the
// sample warehouse and the first administrator. Killed at any moment of it,
// the server can simply be started again, and goes on from there.
func TestAServerKilledDuringItsFirstStartCanBeStartedAgain(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]func(*testing.T) (string, []string){
		"SQLite":     func(*testing.T) (string, []string) { return "", nil },
		"PostgreSQL": inPostgreSQL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			dice := rand.New(rand.NewPCG(seed, 0))
			t.Logf("seed %d", seed)
			first := func() []string {
				_, env := where(t)
				return append(env, "SLUICE_ADMIN_EMAIL="+adminEmail, "SLUICE_ADMIN_PASSWORD="+adminPassword)
			}
			begun := time.Now()
			start(t, filepath.Join(t.TempDir(), "data"), first()...).stop()
			whole := time.Since(begun)
			for range 4 {
				data, env := filepath.Join(t.TempDir(), "data"), first()
				for range 3 {
					s, err := begin(t, data, env...)
					if err != nil {
						t.Fatal(err)
					}
					// Much is done at the beginning, and the sample takes long.
					part := dice.Float64()
					time.Sleep(time.Duration(part * part * float64(whole)))
					s.kill()
				}
				s := start(t, data, env...)
				admin := s.as(s.signIn(adminEmail, adminPassword), newClient())
				var databases struct{ Total int }
				if err := admin.get(t.Context(), "/api/database", &databases); err != nil {
					t.Fatal(err)
				}
				if databases.Total != 1 {
					t.Errorf("%d databases instead of the sample", databases.Total)
				}
				for table := range int64(6) {
					if n, answered, err := admin.rows(t.Context(), table+1); err != nil || !answered || n == 0 {
						t.Errorf("table %d: %d rows, %v, %v", table+1, n, answered, err)
					}
				}
				s.stop()
			}
		})
	}
}
