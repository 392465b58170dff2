package flowcage

import "encoding/json"

// HostProtocolVersion is the version of the host protocol that Host speaks. Its schemas are those that
// `flowcage schema --protocol host` prints.
const HostProtocolVersion = "1.0"

// Workflow is a run to start. What is left out is as the host was started with.
type Workflow struct {
	Source     string         `json:"source"`
	SourceName string         `json:"sourceName,omitempty"`
	Args       any            `json:"args,omitempty"` // any JSON; for null, json.RawMessage("null")
	RunID      string         `json:"runId,omitempty"`
	Key        string         `json:"key,omitempty"` // a second start with it gives the same run; needs a store
	Metadata   map[string]any `json:"metadata,omitempty"`
	Limits     *Limits        `json:"limits,omitempty"`
	Options    *RunOptions    `json:"options,omitempty"`

	Heard
}

// Heard is what is told of one run, and who answers it.
type Heard struct {
	// OnEvent hears the events of the run in their order. Those that come while it has 10,000 or 16 MiB to hear are dropped,
	// and a gap says how many. It must not wait for the run's end.
	OnEvent func(Event) `json:"-"`
	// Handlers answer this run in place of the host's, where they are of the same kind.
	Handlers Handlers `json:"-"`
}

// RunOptions are options of one run. Nil, empty and 0 are left out, but for pointers, which can give a 0.
type RunOptions struct {
	Dialect            string            `json:"dialect,omitempty"` // auto, module, script
	Modules            map[string]string `json:"modules,omitempty"` // what the source may import, by names
	TimeoutSeconds     float64           `json:"timeoutSeconds,omitempty"`
	ExpiresSeconds     float64           `json:"expiresSeconds,omitempty"`
	AnswerGraceSeconds *float64          `json:"answerGraceSeconds,omitempty"`
	AgentTimeout       float64           `json:"agentTimeoutSeconds,omitempty"` // in seconds
	MaxReceivedBytes   int64             `json:"maxReceivedBytes,omitempty"`
	MaxAgents          int               `json:"maxAgents,omitempty"`
	MaxTotalAgents     int               `json:"maxTotalAgents,omitempty"`
	MaxChildren        int               `json:"maxChildren,omitempty"`
	MaxTotalChildren   int               `json:"maxTotalChildren,omitempty"`
	BudgetTokens       *int64            `json:"budgetTokens,omitempty"`
	HardBudget         *bool             `json:"hardBudget,omitempty"`
	MaxCostUsd         *float64          `json:"maxCostUsd,omitempty"`
	AgentFailure       string            `json:"agentFailure,omitempty"` // null, throw
	AgentIdentity      string            `json:"agentIdentity,omitempty"`
	OnInterrupted      map[string]string `json:"onInterrupted,omitempty"` // again, reject
	WithholdValues     bool              `json:"withholdValues,omitempty"`
	Findings           *bool             `json:"findings,omitempty"`
}

// Of is a pointer to a value, for members that can be left out.
func Of[T any](value T) *T { return &value }

// HostInfo is what a host answers to initialize.
type HostInfo struct {
	ProtocolVersion string          `json:"protocolVersion"`
	HostInfo        Peer            `json:"hostInfo"`
	Methods         []string        `json:"methods"`
	Limits          Limits          `json:"limits"`
	Options         json.RawMessage `json:"options"` // of a run that names none
	Isolation       string          `json:"isolation"`
	MaxMessageBytes int             `json:"maxMessageBytes"`
	MaxOpenRequests int             `json:"maxOpenRequests"`
	MaxRuns         int             `json:"maxRuns"`
	Store           bool            `json:"store"`
	Tenant          string          `json:"tenant"`
}

// Peer is who speaks.
type Peer struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// RunOutcome is how a run ended, as flowcage run prints it.
type RunOutcome struct {
	RunID       string           `json:"runId"`
	Verdict     string           `json:"verdict"`
	Result      json.RawMessage  `json:"result"` // of a run that completed
	Error       *OutcomeError    `json:"error"`
	Usage       json.RawMessage  `json:"usage"`
	Census      map[string]int64 `json:"census"`
	Phases      []RunPhase       `json:"phases"`
	Diagnostics []Diagnostic     `json:"diagnostics"`
	Raw         json.RawMessage  `json:"-"` // all that the host sent
}

// Decode stores the result in what v points to.
func (o *RunOutcome) Decode(v any) error { return json.Unmarshal(o.Result, v) }

// UnmarshalJSON keeps the text beside its members.
func (o *RunOutcome) UnmarshalJSON(text []byte) error {
	type plain RunOutcome
	if err := json.Unmarshal(text, (*plain)(o)); err != nil {
		return err
	}
	o.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// RunPhase is one phase of a run.
type RunPhase struct {
	Title string `json:"title"`
}

// OutcomeError is why a run has no result.
type OutcomeError struct {
	Kind       string          `json:"kind"`
	Message    string          `json:"message"`
	Stack      string          `json:"stack"`
	Place      string          `json:"place"` // FILE:LINE:COLUMN, where it is known
	ChildAlive bool            `json:"childAlive"`
	Data       json.RawMessage `json:"data"`
}

// RunState is how a run stands. Times are in milliseconds since 1970.
type RunState struct {
	RunID        string  `json:"runId"`
	State        string  `json:"state"` // queued, running, asleep, abandoned, diverged, ended
	Verdict      *string `json:"verdict"`
	SourceName   string  `json:"sourceName"`
	CreatedAt    int64   `json:"createdAt"`
	UpdatedAt    int64   `json:"updatedAt"`
	WakeAt       *int64  `json:"wakeAt"`
	ForkedFrom   *string `json:"forkedFrom"`
	CancelReason *string `json:"cancelReason"`
	Pool         *string `json:"pool"` // of workers, "" for the usual ones; nil for a run of a host of its own
	Held         *string `json:"held"` // why no worker takes it
	HasClient    bool    `json:"hasClient"`
}

// RunDetails is a run with its outcome, once it has ended, and its open questions.
type RunDetails struct {
	Run       RunState    `json:"run"`
	Outcome   *RunOutcome `json:"outcome"`
	Questions []struct {
		ID        string          `json:"id"`
		Question  string          `json:"question"`
		Label     string          `json:"label"`
		Schema    json.RawMessage `json:"schema"`
		Options   []string        `json:"options"`
		TakesText bool            `json:"takesText"`
	} `json:"questions"`
}

// ListRuns chooses runs; Before is Next of the list before.
type ListRuns struct {
	State  string `json:"state,omitempty"`
	Limit  int    `json:"limit,omitempty"`
	Before string `json:"before,omitempty"`
}

// RunList is some runs, the newest first. Next is empty at the end.
type RunList struct {
	Runs []RunState `json:"runs"`
	Next string     `json:"next"`
}

// Resume is how a kept run is gone on with: Way resume or fork; a fork may have a source and args of its own.
type Resume struct {
	RunID           string         `json:"runId"`
	Way             string         `json:"way,omitempty"`
	Source          string         `json:"source,omitempty"`
	SourceName      string         `json:"sourceName,omitempty"`
	Args            any            `json:"args,omitempty"`
	NewRunID        string         `json:"newRunId,omitempty"`
	FromCall        string         `json:"fromCall,omitempty"`
	EvenIfCancelled bool           `json:"evenIfCancelled,omitempty"`
	Options         *RunOptions    `json:"options,omitempty"`
	Limits          *Limits        `json:"limits,omitempty"`
	Metadata        map[string]any `json:"metadata,omitempty"`

	Heard
}

// Explanation is what going on with a run would reuse and ask, as far as it is known before anybody is asked.
type Explanation struct {
	RunID      string           `json:"runId"`
	Reused     int64            `json:"reused"`
	Answers    int64            `json:"answers"`
	Tokens     int64            `json:"tokens"`
	IsComplete bool             `json:"isComplete"`
	Error      *string          `json:"error"`
	Calls      []map[string]any `json:"calls"`
}

// HostCheck is a source to read, of which nothing runs.
type HostCheck struct {
	Source     string            `json:"source"`
	SourceName string            `json:"sourceName,omitempty"`
	Dialect    string            `json:"dialect,omitempty"`
	Outline    bool              `json:"outline,omitempty"`
	Modules    map[string]string `json:"modules,omitempty"`
}

// Event is one thing that happened in a run, as docs/events.md has it. Raw has all members.
type Event struct {
	Type      string          `json:"type"`
	RunID     string          `json:"runId"` // of its workflow: a child workflow has its own
	Seq       int64           `json:"seq"`
	RequestID string          `json:"requestId"`
	Raw       json.RawMessage `json:"-"`
}
