package warehouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Kind tells what went wrong in a warehouse.
type Kind uint8

// The kinds.
const (
	Failed    Kind = iota // the engine gave up while it ran, or for a reason of its own
	Denied                // the statement reads or does what it may not, or names what is not there
	Invalid               // the statement is not valid SQL, or not exactly one query
	TimedOut              // the time for the statement was up
	Cancelled             // whoever asked went away
	Unusable              // there is no connection: wrong details, no rights, or it was lost
	NoRole                // the connection cannot take the role that the statement must run as
)

var kindNames = [...]string{"failed", "denied", "invalid", "timed out", "cancelled", "unusable", "no role"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown kind"
}

// Error is what a warehouse answers instead of rows. Message and Cause are for
// people who may know the whole database: the engine's words can tell what
// exists there. Kind may be told to everybody.
type Error struct {
	Kind    Kind
	Message string // one sentence
	Field   string // the option of the connection details that is to blame, such as "password"; may be ""
	Cause   error  // the engine's error; may be nil
}

func (e *Error) Error() string {
	if e.Message == "" && e.Cause != nil {
		return fmt.Sprintf("%s: %s", e.Kind, e.Cause)
	}
	return fmt.Sprintf("%s: %s", e.Kind, e.Message)
}

// Unwrap is the engine's error.
func (e *Error) Unwrap() error { return e.Cause }

func failed(kind Kind, message string, cause error) *Error {
	return &Error{Kind: kind, Message: message, Cause: cause}
}

func errStopped() error {
	return &Error{Kind: Unusable, Message: "the connections to the databases are closed: the server is stopping"}
}

// ended is the error of a statement whose context is over.
func ended(ctx context.Context, cause error) *Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failed(TimedOut, "the statement took longer than it may", cause)
	}
	return failed(Cancelled, "whoever asked has gone away", cause)
}

// lost is the error of a connection that broke under a statement.
func lost(cause error) *Error {
	return failed(Unusable, "the connection to the database was lost", cause)
}

// unreachable tells why nothing answers at an address, if that is what an
// error is about.
func unreachable(at endpoint, err error) *Error {
	var (
		name *net.DNSError
		slow net.Error
	)
	switch {
	case errors.As(err, &name):
		return detailError("host", err, "the name %s is not known", at.host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return detailError("port", err, "nothing listens at %s", at)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return detailError("host", err, "there is no way to %s from here", at)
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &slow) && slow.Timeout():
		return detailError("host", err, "%s does not answer; a firewall may be in between", at)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return detailError("port", err, "what answers at %s ends the connection at once", at)
	}
	return nil
}
