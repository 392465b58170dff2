package flowcage

import "encoding/json"

// ProtocolVersion is the version of the wire contract that this client speaks.
const ProtocolVersion = "1.0"

// Limits is what a run may use; 0 means the child's default. https://flowcage.dev/schemas/1.0/common.json
type Limits struct {
	MemoryBytes        int64 `json:"memoryBytes,omitempty"`
	StackBytes         int64 `json:"stackBytes,omitempty"`
	StepTimeoutMs      int64 `json:"stepTimeoutMs,omitempty"`
	CPUSeconds         int64 `json:"cpuSeconds,omitempty"`
	AddressSpaceBytes  int64 `json:"addressSpaceBytes,omitempty"`
	MaxSleepMs         int64 `json:"maxSleepMs,omitempty"`
	MaxMessageBytes    int64 `json:"maxMessageBytes,omitempty"`
	MaxPendingRequests int64 `json:"maxPendingRequests,omitempty"`
	MaxQueuedBytes     int64 `json:"maxQueuedBytes,omitempty"`
}

// Layer is whether one layer of the cage holds, and how or why not.
type Layer struct {
	Applied bool   `json:"applied"`
	Detail  string `json:"detail"`
}

// Initialized is what the child answers once its cage is closed.
type Initialized struct {
	ProtocolVersion string           `json:"protocolVersion"`
	Limits          Limits           `json:"limits"`
	Isolation       map[string]Layer `json:"isolation"`
	MaxMessageBytes int64            `json:"maxMessageBytes"`
	Methods         []string         `json:"methods"` // none: it is older than run and advance, and has neither
}

// Has is whether the child has a method.
func (i *Initialized) Has(method string) bool {
	for _, name := range i.Methods {
		if name == method {
			return true
		}
	}
	return false
}

// BudgetState is what a workflow sees as its budget, in tokens; Total nil is no ceiling.
type BudgetState struct {
	Total *int64 `json:"total"`
	Spent int64  `json:"spent"`
}

// Start is the workflow to compile, or to run.
type Start struct {
	Source     string       `json:"source"`
	SourceName string       `json:"sourceName,omitempty"`
	Args       any          `json:"args,omitempty"`
	Budget     *BudgetState `json:"budget,omitempty"`
	Dialect    string       `json:"dialect,omitempty"`

	// What the source may import, by names; a child that has no method imports takes no notice of it.
	Modules map[string]string `json:"modules,omitempty"`
}

// Call is a call of the workflow: nothing waits for an answer.
type Call struct {
	Type    string            `json:"type"`    // log, phase
	Values  []json.RawMessage `json:"values"`  // of a log
	Name    *string           `json:"name"`    // of a phase
	Options map[string]any    `json:"options"` // of a phase
}

// Request is what a promise of the workflow waits for. Which members are there depends on the type.
type Request struct {
	Type       string          `json:"type"` // agent, workflow, sleep, sandbox_exec, ask
	ID         string          `json:"id"`
	Prompt     *string         `json:"prompt"`
	Options    map[string]any  `json:"options"`
	Ref        *WorkflowRef    `json:"ref"`
	Args       json.RawMessage `json:"args"`
	DurationMs *int64          `json:"durationMs"`
	Profile    *string         `json:"profile"`
	Program    *Program        `json:"request"`
	Question   *string         `json:"question"`
	Schema     json.RawMessage `json:"schema"`
	Choices    []Choice        `json:"choices"`
	Label      string          `json:"label"`
}

// Choice is one of the answers that a question may have, where it does not take any.
type Choice struct {
	Label string          `json:"label"`
	Value json.RawMessage `json:"value"`
}

// WorkflowRef names a child workflow: exactly one member is set.
type WorkflowRef struct {
	Name       string
	ScriptPath string
}

// UnmarshalJSON reads a name or {"scriptPath": …}.
func (r *WorkflowRef) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, &r.Name)
	}
	var path struct {
		ScriptPath *string `json:"scriptPath"`
	}
	if err := json.Unmarshal(data, &path); err != nil {
		return err
	}
	if path.ScriptPath == nil {
		return violation("sent a workflow reference without scriptPath")
	}
	r.ScriptPath = *path.ScriptPath
	return nil
}

// Program is what the workflow asks a sandbox of the host to run.
type Program struct {
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Cwd     string            `json:"cwd"`
	Env     map[string]string `json:"env"`
	Stdin   string            `json:"stdin"`
}

// Diagnostic is a note for the workflow's author.
type Diagnostic struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// Drained is everything that the workflow did since the last message, and where it stands.
type Drained struct {
	Calls    *[]Call    `json:"calls"`
	Requests *[]Request `json:"requests"`
	State    string     `json:"state"` // pending, complete
	Output   *struct {
		Result json.RawMessage `json:"result"`
	} `json:"output"`
	Stalled     bool         `json:"stalled"`
	More        bool         `json:"more"`
	Diagnostics []Diagnostic `json:"diagnostics"`
	Counts      []int        `json:"counts"` // of Replay: how many requests each turn has queued that was carried out
}

// Site is where an outstanding request was made; Line and Column are 0 where the child does not know.
type Site struct {
	ID         string `json:"id"`
	Line       int64  `json:"line"`
	Column     int64  `json:"column"`
	SourceName string `json:"sourceName"` // of the source or the module; empty from an older child
}

// Check is a source to compile and to read, of which nothing runs.
type Check struct {
	Source     string `json:"source"`
	SourceName string `json:"sourceName,omitempty"`
	Dialect    string `json:"dialect,omitempty"`

	Modules map[string]string `json:"modules,omitempty"`

	Findings bool `json:"findings,omitempty"`
	Outline  bool `json:"outline,omitempty"`
}

// Finding is something in a source that is probably wrong; what is 0 or empty was not told.
type Finding struct {
	Kind       string `json:"kind"`
	Severity   string `json:"severity"` // error, warning, note
	Message    string `json:"message"`
	Line       int64  `json:"line"`
	Column     int64  `json:"column"`
	EndLine    int64  `json:"endLine"`
	EndColumn  int64  `json:"endColumn"`
	Hint       string `json:"hint"`
	SourceName string `json:"sourceName"` // of a module; empty for the source itself
}

// Checked is what a child has read of a source that compiles. Findings and Outline are nil where they were not asked
// for, and from an older child.
type Checked struct {
	Dialect  string          `json:"dialect"` // module, script
	Meta     json.RawMessage `json:"meta"`
	Findings []Finding       `json:"findings"`
	Outline  map[string]any  `json:"outline"`
}

// Settlement is one request, and how it is settled.
type Settlement struct {
	ID         string     `json:"id"`
	Resolution Resolution `json:"resolution"`
}

// Resolution settles a request: Type ok with a Value and perhaps a Budget, ok_undefined, or error with a Message.
type Resolution struct {
	Type    string
	Value   any
	Budget  *BudgetState
	Message string
}

// MarshalJSON writes the members that the type has.
func (r Resolution) MarshalJSON() ([]byte, error) {
	members := map[string]any{"type": r.Type}
	switch r.Type {
	case "ok":
		members["value"] = r.Value
		if r.Budget != nil {
			members["budget"] = r.Budget
		}
	case "error":
		members["message"] = r.Message
	}
	return encode(members)
}

func (d *Drained) check() error {
	if d.Calls == nil || d.Requests == nil {
		return violation("answered drain without calls or requests")
	}
	isComplete := d.State == "complete" && d.Output != nil && d.Output.Result != nil
	if d.State != "pending" && !isComplete {
		return violation("answered drain with the state %.40q, or without its output", d.State)
	}
	for _, call := range *d.Calls {
		if (call.Type == "log" && call.Values == nil) || (call.Type == "phase" && call.Name == nil) {
			return violation("sent a %s call without its members", call.Type)
		}
	}
	for _, request := range *d.Requests {
		if !request.isWhole() {
			return violation("sent a request of type %.40q without its members", request.Type)
		}
	}
	return nil
}

func (r Request) isWhole() bool {
	switch {
	case r.ID == "" || r.Type == "":
		return false
	case r.Type == "agent":
		return r.Prompt != nil
	case r.Type == "workflow":
		return r.Ref != nil
	case r.Type == "sleep":
		return r.DurationMs != nil && *r.DurationMs >= 0
	case r.Type == "sandbox_exec":
		return r.Profile != nil && r.Program != nil && r.Program.Command != ""
	case r.Type == "ask":
		for _, choice := range r.Choices {
			if choice.Label == "" || choice.Value == nil {
				return false
			}
		}
		return r.Question != nil && *r.Question != ""
	}
	return true // only a later version of the contract has it
}
