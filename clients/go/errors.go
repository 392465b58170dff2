package flowcage

import (
	"encoding/json"
	"fmt"
)

// Error is every way in which a run can end without a result. Find the kind with errors.As.
type Error interface {
	error
	// ChildAlive says whether the child was still alive and answering when the error arose.
	ChildAlive() bool
}

type (
	alive struct{}
	dead  struct{}
)

func (alive) ChildAlive() bool { return true }
func (dead) ChildAlive() bool  { return false }

// WorkflowFailed is the workflow's own doing: it threw, does not compile, or ran into one of the child's limits.
type WorkflowFailed struct {
	alive
	Kind    string // exception, syntax, import, missing_default, timeout, memory, stack, serialization or limit
	Message string
	Stack   string          // JavaScript frames in the author's file
	Data    json.RawMessage // all that the child told
}

func (e *WorkflowFailed) Error() string { return e.Message }

// WorkflowStalled: the workflow waits for something that nobody will ever answer.
type WorkflowStalled struct{ alive }

func (*WorkflowStalled) Error() string {
	return "the workflow can never finish: it waits for a promise that nothing will settle"
}

// Ended is how a child ended. Over a socket nobody knows: Signal is empty and ExitCode is -1.
type Ended struct {
	Signal   string // such as "killed", or empty
	ExitCode int    // -1 where a signal ended it
	Stderr   string // the last it said, without escapes
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

// ChildError is what ended a run beside the workflow's own doing.
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
	// OutputExceeded: the child said more than a run may say in all; it was killed.
	OutputExceeded struct {
		alive
		ChildError
	}
	// ProtocolViolation: the child said what the contract does not allow, and was killed.
	ProtocolViolation struct {
		alive
		ChildError
	}
	// IsolationUnavailable: this machine lacks a layer of isolation that was asked for.
	IsolationUnavailable struct {
		alive
		ChildError
	}
	// RunRefused: the child refused a message that should have been right.
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
	// LaunchFailed: no child could be started, or nobody serves that socket.
	LaunchFailed struct {
		dead
		ChildError
	}
	// HandlerFailed: a handler returned something other than a Rejection. It wraps what that was.
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
