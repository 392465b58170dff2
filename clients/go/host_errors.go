package flowcage

import "encoding/json"

// RunFailed: a run of a Host has ended without a result. Outcome.Verdict says how, in one word of docs/security.md. Where
// a context ended it, it wraps that one's error.
type RunFailed struct {
	Outcome *RunOutcome
	cause   error
}

func (e *RunFailed) Error() string {
	if e.Outcome.Error == nil || e.Outcome.Error.Message == "" {
		return "the run ended as " + e.Outcome.Verdict
	}
	return e.Outcome.Error.Message
}

// Unwrap returns the error of the context that ended the run, if one did.
func (e *RunFailed) Unwrap() error { return e.cause }

// ChildAlive is whether the child was alive when the error arose.
func (e *RunFailed) ChildAlive() bool { return e.Outcome.Error != nil && e.Outcome.Error.ChildAlive }

// HostRefused: the host did not carry a message out. Kind is one of docs/host-protocol.md, such as overloaded, whose Data
// says when to try again.
type HostRefused struct {
	Code    int
	Kind    string
	Message string
	Data    json.RawMessage
}

func (e *HostRefused) Error() string { return e.Message }

// ChildAlive is false: of no run, or of a child that the host could not use.
func (e *HostRefused) ChildAlive() bool { return false }

// HostGone: there is no host, or none any more: it could not be started, has ended, broke the protocol or was closed.
type HostGone struct {
	dead
	ChildError
	Ended *Ended // how its process ended, where that is known
}

func hostGone(message string, cause error) *HostGone {
	return &HostGone{ChildError: ChildError{message, cause}}
}
