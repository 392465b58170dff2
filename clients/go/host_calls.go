package flowcage

import (
	"context"
	"encoding/json"
	"errors"
)

// Handlers answer what workflows ask, each in a goroutine of its own. A kind that is nil is answered by what the host was
// started with, or refused. An error rejects the request: a Rejection, or an AgentFailure, which says more; any other
// error is a broken handler and ends the run. The context is done when nobody waits for the answer any more.
type Handlers struct {
	Agent       func(context.Context, *AgentCall) (*AgentAnswer, error)
	Workflow    func(context.Context, *WorkflowCall) (*ChildWorkflow, error)
	SandboxExec func(context.Context, *SandboxCall) (any, error)
	Ask         func(context.Context, *Question) (any, error)
}

// AgentCall is one attempt at agent(prompt, options). All of it comes from a workflow, which nobody has to trust.
type AgentCall struct {
	RootRunID      string          `json:"rootRunId"`
	RunID          string          `json:"runId"`
	RequestID      string          `json:"requestId"`
	Tenant         string          `json:"tenant"`
	Prompt         string          `json:"prompt"`
	Options        map[string]any  `json:"options"`
	Label          string          `json:"label"`
	Phase          string          `json:"phase"`
	Model          string          `json:"model"`
	Schema         json.RawMessage `json:"schema"` // null for any text; the host holds the answer to it
	Attempt        int             `json:"attempt"`
	Problem        *string         `json:"problem"` // with the last answer, where the agent is asked once more
	Refused        *string         `json:"refused"`
	IdempotencyKey string          `json:"idempotencyKey"`
	Key            string          `json:"key"`
	Deadline       *float64        `json:"deadlineSeconds"`
	Interrupted    bool            `json:"interrupted"` // it was begun before, and may have had effects
	Handle         *string         `json:"handle"`      // what Remember kept then
	Session        *string         `json:"session"`
	CostLeftUsd    *float64        `json:"costLeftUsd"`
	TokensLeft     *int64          `json:"tokensLeft"`
	IsHeld         bool            `json:"isHeld"`

	id   json.RawMessage
	host *Host
}

// Progress tells what the agent does; it becomes an event.
func (c *AgentCall) Progress(ctx context.Context, told Progress) error {
	return c.host.session.notify(ctx, "agent.progress", struct {
		ID json.RawMessage `json:"id"`
		Progress
	}{c.id, told})
}

// Remember leaves a note for whoever may have to ask this again, such as the name of a session.
func (c *AgentCall) Remember(ctx context.Context, handle string) error {
	params := map[string]any{"id": c.id, "handle": handle}
	return c.host.Call(ctx, "agent.remember", params, nil)
}

// TokenUsage is tokens as the model's provider counts them.
type TokenUsage struct {
	Input      int64 `json:"input,omitempty"`
	Output     int64 `json:"output,omitempty"`
	CacheRead  int64 `json:"cacheRead,omitempty"`
	CacheWrite int64 `json:"cacheWrite,omitempty"`
}

// Progress is what is new of an agent at work, by this attempt so far.
type Progress struct {
	Text      string      `json:"text,omitempty"`
	Usage     *TokenUsage `json:"usage,omitempty"`
	CostUsd   *float64    `json:"costUsd,omitempty"`
	Model     string      `json:"model,omitempty"`
	SessionID string      `json:"sessionId,omitempty"`
}

// Spent is what an answer or a failure has cost. CostUsd nil is not known.
type Spent struct {
	Tokens   *int64      `json:"tokens,omitempty"` // that count for the budget; nil for Input and Output of Usage
	Usage    *TokenUsage `json:"usage,omitempty"`
	CostUsd  *float64    `json:"costUsd,omitempty"`
	Model    string      `json:"model,omitempty"`
	Provider string      `json:"provider,omitempty"`
}

// AgentAnswer is a Value, or a Text in which the host looks for the JSON that the call's schema asks for.
type AgentAnswer struct {
	Value any
	Text  *string
	Spent
	SessionID string
}

// MarshalJSON writes one of Value and Text.
func (a *AgentAnswer) MarshalJSON() ([]byte, error) {
	if a.Text != nil {
		return encode(struct {
			Text string `json:"text"`
			Spent
			SessionID string `json:"sessionId,omitempty"`
		}{*a.Text, a.Spent, a.SessionID})
	}
	return encode(struct {
		Value any `json:"value"`
		Spent
		SessionID string `json:"sessionId,omitempty"`
	}{a.Value, a.Spent, a.SessionID})
}

// AgentFailure is why an agent has no answer, and what it has cost all the same.
type AgentFailure struct {
	// failed, wrong_answer (asked once more), option_not_honoured, share_too_small, or unavailable, which ends the run
	// to be resumed; empty is failed.
	Kind    string
	Message string
	Spent
	Text        string   // of wrong_answer
	NeedsUsd    *float64 // of share_too_small
	NeedsTokens *int64   // of share_too_small
}

func (f *AgentFailure) Error() string { return f.Message }

// WorkflowCall is workflow(ref, args).
type WorkflowCall struct {
	RootRunID  string          `json:"rootRunId"`
	RunID      string          `json:"runId"`
	RequestID  string          `json:"requestId"`
	Ref        WorkflowRef     `json:"ref"`
	Args       json.RawMessage `json:"args"` // nil where the workflow passed none
	SourceName string          `json:"sourceName"`
	Depth      int             `json:"depth"`
}

// ChildWorkflow is a Source, which the host runs as a child workflow, or without one a Value in its place.
type ChildWorkflow struct {
	Source     string
	SourceName string
	Modules    map[string]string // what it may import, by names
	Args       any               // nil for those that were passed
	Value      any
}

// MarshalJSON writes one of Source and Value.
func (c *ChildWorkflow) MarshalJSON() ([]byte, error) {
	if c.Source == "" {
		return encode(map[string]any{"value": c.Value})
	}
	return encode(struct {
		Source     string            `json:"source"`
		SourceName string            `json:"sourceName,omitempty"`
		Modules    map[string]string `json:"modules,omitempty"`
		Args       any               `json:"args,omitempty"`
	}{c.Source, c.SourceName, c.Modules, c.Args})
}

// SandboxCall is SW.sandbox.exec(profile, program). It is for the handler to decide whether anything is run.
type SandboxCall struct {
	RootRunID string  `json:"rootRunId"`
	RequestID string  `json:"requestId"`
	Profile   string  `json:"profile"`
	Program   Program `json:"program"`
}

// Question is ask(question, options).
type Question struct {
	RootRunID  string          `json:"rootRunId"`
	QuestionID string          `json:"questionId"`
	Question   string          `json:"question"`
	Label      string          `json:"label"`
	Schema     json.RawMessage `json:"schema"`
	Options    []Choice        `json:"options"`
	Problem    *string         `json:"problem"` // with the last answer, where the question is put once more
}

func (h Handlers) kinds() []string {
	kinds := []string{}
	for _, kind := range []struct {
		name  string
		isSet bool
	}{
		{"agent", h.Agent != nil}, {"workflow", h.Workflow != nil},
		{"sandboxExec", h.SandboxExec != nil}, {"ask", h.Ask != nil},
	} {
		if kind.isSet {
			kinds = append(kinds, kind.name)
		}
	}
	return kinds
}

// over is these handlers, and of the kinds that they do not have the others'.
func (h Handlers) over(others Handlers) Handlers {
	if h.Agent == nil {
		h.Agent = others.Agent
	}
	if h.Workflow == nil {
		h.Workflow = others.Workflow
	}
	if h.SandboxExec == nil {
		h.SandboxExec = others.SandboxExec
	}
	if h.Ask == nil {
		h.Ask = others.Ask
	}
	return h
}

// handle answers one request of the host by a run's handlers: a result, or an error.
func (h *Host) handle(ctx context.Context, request *asked) (any, error) {
	handlers := h.handlersOf(request.params)
	switch request.method {
	case "agent.ask":
		call := &AgentCall{id: request.id, host: h}
		return answered(ctx, handlers.Agent, request, call)
	case "workflow.get":
		return answered(ctx, handlers.Workflow, request, &WorkflowCall{})
	case "sandbox.exec":
		return answered(ctx, valued(handlers.SandboxExec), request, &SandboxCall{})
	case "question.ask":
		return answered(ctx, valued(handlers.Ask), request, &Question{})
	}
	return nil, &unknownMethod{request.method}
}

func answered[C, A any](
	ctx context.Context, handler func(context.Context, *C) (*A, error), request *asked, call *C,
) (any, error) {
	if handler == nil {
		return nil, Rejection("this client answers no " + request.method)
	}
	if err := json.Unmarshal(request.params, call); err != nil {
		return nil, err
	}
	answer, err := handler(ctx, call)
	if err == nil && answer == nil {
		err = errors.New("the handler of " + request.method + " returned neither an answer nor an error")
	}
	return answer, err
}

type value struct {
	Value any `json:"value"`
}

func valued[C any](handler func(context.Context, *C) (any, error)) func(context.Context, *C) (*value, error) {
	if handler == nil {
		return nil
	}
	return func(ctx context.Context, call *C) (*value, error) {
		result, err := handler(ctx, call)
		return &value{result}, err
	}
}

type unknownMethod struct{ method string }

func (u *unknownMethod) Error() string { return "there is no method " + shorten(u.method) }

// failureOf is the error object that tells the host of an error.
func failureOf(err error) map[string]any {
	const ours, methodNotFound = -32000, -32601
	var unknown *unknownMethod
	var rejection Rejection
	var failure *AgentFailure
	switch {
	case errors.As(err, &unknown):
		return map[string]any{"code": methodNotFound, "message": err.Error()}
	case errors.As(err, &failure):
		return map[string]any{"code": ours, "message": failure.Message, "data": failure.data()}
	case errors.As(err, &rejection):
		return map[string]any{"code": ours, "message": string(rejection), "data": map[string]any{"kind": "rejected"}}
	}
	// Told as a fault however long it is.
	return map[string]any{"code": ours, "message": cut(err.Error(), mostWords), "data": map[string]any{"kind": "fault"}}
}

func (f *AgentFailure) data() any {
	kind := f.Kind
	if kind == "" {
		kind = "failed"
	}
	return struct {
		Kind string `json:"kind"`
		Spent
		Text        string   `json:"text,omitempty"`
		NeedsUsd    *float64 `json:"needsUsd,omitempty"`
		NeedsTokens *int64   `json:"needsTokens,omitempty"`
	}{kind, f.Spent, f.Text, f.NeedsUsd, f.NeedsTokens}
}
