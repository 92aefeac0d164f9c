//go:build !gateoff

package api

// gateOff is true in the build in which nothing stands before the boundaries
// inside of PostgreSQL and MariaDB: there they must keep every row and value
// back alone.
const gateOff = false
