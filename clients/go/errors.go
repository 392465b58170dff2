package flowcage

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errNoReturn is the failure of a handler that ends its goroutine, as t.Fatal and runtime.Goexit do.
var errNoReturn = errors.New("the handler ended its goroutine without an answer")

// Error is the interface of all errors of a run. Find the kind with errors.As.
type Error interface {
	error
	// ChildAlive is whether the child was still alive and answering when the error arose.
	ChildAlive() bool
}

type (
	alive struct{}
	dead  struct{}
)

func (alive) ChildAlive() bool { return true }
func (dead) ChildAlive() bool  { return false }

// WorkflowFailed: the workflow threw, does not compile, or reached one of the child's limits.
type WorkflowFailed struct {
	alive
	Kind    string // exception, syntax, import, missing_default, timeout, memory, stack, serialization or limit
	Message string
	Stack   string          // JavaScript frames in the author's file
	Data    json.RawMessage // all that the child sent
}

func (e *WorkflowFailed) Error() string { return e.Message }

// WorkflowStalled: the workflow waits for something that can never be settled.
type WorkflowStalled struct{ alive }

func (*WorkflowStalled) Error() string {
	return "the workflow can never finish: it waits for a promise that nothing will settle"
}

// Ended is how a child ended. Over a socket that is unknown: Signal is empty and ExitCode is -1.
type Ended struct {
	Signal   string // such as "killed", or empty
	ExitCode int    // -1 where a signal ended it
	Stderr   string // the end of its stderr, without escapes
}

// ChildDied: the child ended in the middle of the run.
type ChildDied struct {
	dead
	Ended
}

func (e *ChildDied) Error() string {
	how := "is gone"
	if e.Signal != "" {
		how = "was ended by the signal " + e.Signal
	} else if e.ExitCode >= 0 {
		how = fmt.Sprintf("exited with status %d", e.ExitCode)
	}
	if e.Stderr != "" {
		how += "; it said: " + e.Stderr
	}
	return "in the middle of the run the child " + how
}

// ChildError is every error of a run that the workflow did not cause.
type ChildError struct {
	message string
	cause   error
}

func (e *ChildError) Error() string {
	if e.cause != nil {
		return e.message + ": " + e.cause.Error()
	}
	return e.message
}

// Unwrap returns the cause, if there is one.
func (e *ChildError) Unwrap() error { return e.cause }

type (
	// TimedOut: Options.Timeout was reached; the child was killed.
	TimedOut struct {
		alive
		ChildError
	}
	// Canceled: the context was done; the child was killed. It wraps the context's error.
	Canceled struct {
		alive
		ChildError
	}
	// ChildSilent: the child did not answer in time and was killed.
	ChildSilent struct {
		alive
		ChildError
	}
	// OutputExceeded: the child sent more than a run may send in all; it was killed.
	OutputExceeded struct {
		alive
		ChildError
	}
	// ProtocolViolation: the child sent what the contract does not allow, and was killed.
	ProtocolViolation struct {
		alive
		ChildError
	}
	// IsolationUnavailable: this machine lacks a layer of isolation that was asked for.
	IsolationUnavailable struct {
		alive
		ChildError
	}
	// RunRefused: the child refused a message, such as for a limit out of range.
	RunRefused struct {
		alive
		ChildError
		Kind string
	}
	// CannotSend: the source or the args do not fit a message, or hold what JSON cannot.
	CannotSend struct {
		alive
		ChildError
	}
	// LaunchFailed: no child could be started, or the socket has no server.
	LaunchFailed struct {
		dead
		ChildError
	}
	// HandlerFailed: a handler returned an error other than a Rejection. It wraps that error.
	HandlerFailed struct {
		alive
		ChildError
	}
)

// Rejection rejects one request when a handler returns it: the workflow sees an Error with this message.
type Rejection string

func (r Rejection) Error() string { return string(r) }

func violation(format string, args ...any) error {
	return &ProtocolViolation{ChildError: ChildError{message: fmt.Sprintf("the child "+format, args...)}}
}
