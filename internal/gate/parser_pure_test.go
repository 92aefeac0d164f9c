//go:build !cgo

package gate

const newestPrinter = false
