package warehouse

import (
	"testing"

	"modernc.org/sqlite"
)

// The guard is one wall of several: SQL that does not begin like a question is
// refused before the engine sees it, and the connection cannot write. This
// asks the guard alone, so that no other wall hides a hole in it.
func TestTheGuardAloneRefusesEverythingButReading(t *testing.T) {
	g := &guard{}
	defer g.bind(policy{tables: set("orders"), schema: &schema{}})()
	harmless := map[sqlite.AuthorizerActionCode]bool{sqlite.AuthSelect: true, sqlite.AuthRecursive: true}
	for action := sqlite.AuthorizerActionCode(0); action < 64; action++ {
		if got := g.authorize(action, "orders", "", "main", ""); got != sqlite.AuthorizerDeny && !harmless[action] {
			t.Errorf("action %d is let through", action)
		}
	}
	for action := range harmless {
		if g.authorize(action, "", "", "", "") != sqlite.AuthorizerOK {
			t.Errorf("action %d is refused", action)
		}
	}
}
