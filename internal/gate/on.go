//go:build !gateoff

package gate

// refusing is false only in builds for the tests that show what the engines
// hold alone (testdata/leaks): with the build tag gateoff.
const refusing = true
