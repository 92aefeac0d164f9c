//go:build gateoff

package gate

const refusing = false
