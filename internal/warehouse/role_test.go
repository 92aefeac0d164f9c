package warehouse

import "testing"

// Whatever gives a login more than roles keeps it from taking one.
func TestOnlyRolesAreLeftBehind(t *testing.T) {
	for line, want := range map[string]bool{
		"GRANT USAGE ON *.* TO `app`@`%`":                                     true,
		"GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*0'":         true,
		"GRANT `north` TO `app`@`%`":                                          true,
		"GRANT `north`@`%`,`south`@`%` TO `app`@`%`":                          true,
		"SET DEFAULT ROLE `whole` FOR `app`@`%`":                              true,
		"GRANT SELECT ON `shop`.* TO `app`@`%`":                               false,
		"GRANT SELECT (`id`) ON `shop`.`orders` TO `app`@`%`":                 false,
		"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION": false,
		"GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION":       false,
		"GRANT USAGE, SELECT ON *.* TO `app`@`%`":                             false,
		"GRANT EXECUTE ON FUNCTION `shop`.`f` TO `app`@`%`":                   false,
		"GRANT north TO 'app'@'%'":                                            false, // an old server's: it could be anything
		"REVOKE SELECT ON `shop`.* FROM `app`@`%`":                            false,
		"": false,
		"GRANT BINLOG MONITOR, SHOW DATABASES ON *.* TO `app`@`%`": false,
		"GRANT USAGE ON `shop`.* TO `app`@`%` WITH GRANT OPTION":   false,
	} {
		if got := onlyRoles(line); got != want {
			t.Errorf("%s gives only roles: %v", line, got)
		}
	}
}

// What people read of an engine's words under a role cites nothing but their
// own: without a boundary there is no name of one to look for.
func TestWordsAreTellableWithoutABoundary(t *testing.T) {
	if !tellable(`column "idd" does not exist`, `"`, "select idd from mine", "", nil) || tellable(`column "orders.secret" does not exist`, `"`, "select 1", "", nil) {
		t.Error("words are told that cite what the person did not write, or kept that cite what they did")
	}
}
