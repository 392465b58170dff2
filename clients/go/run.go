// Package flowcage runs untrusted JavaScript workflows, each in a caged child process of its own.
package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

const (
	defaultTimeout      = time.Hour
	defaultAnswerGrace  = 5 * time.Second
	defaultStepTimeout  = 5000 // ms
	stepClockFactor     = 10   // on the clock a step may take this many times its CPU limit: the machine may be busy
	defaultMaxPending   = 20_000
	defaultMaxQueued    = 4 << 20
	queuedItemBytes     = 100 // what the contract counts for each call besides its text
	mostKept            = 10_000
	mostAnswersPerWrite = 250
)

// Options is everything about a run except its source. Zero values mean the default.
type Options struct {
	Transport  Transport // Spawn{}
	Args       any       // what the workflow sees as args; {}
	SourceName string    // in stacks; workflow.js
	Dialect    string    // auto, module or script; auto
	Isolation  string    // strict, best_effort or none; strict on Linux
	Limits     Limits    // of the child
	Budget     *Budget   // what the workflow sees as budget; no ceiling

	// Modules are the sources that the workflow may import, by their names; a child that takes none is refused.
	Modules map[string]string

	// Agent answers agent(), Workflow workflow(), SandboxExec SW.sandbox.exec() and Ask ask(); nil rejects. Their return
	// value becomes JSON; a Rejection rejects the one request, any other error ends the run. They must return when the
	// context is done: Run waits for them.
	Agent       func(context.Context, Request) (any, error)
	Workflow    func(context.Context, Request) (any, error)
	SandboxExec func(context.Context, Request) (any, error)
	Ask         func(context.Context, Request) (any, error)

	OnLog   func(values []json.RawMessage)
	OnPhase func(name string, options map[string]any)

	Timeout          time.Duration // wall clock of the whole run; an hour
	AnswerGrace      time.Duration // how long the child may be silent beyond Limits.StepTimeoutMs; 5 s
	MaxReceivedBytes int64         // bytes that the child may send; 1 GiB
	MaxAgents        int           // agents at work at once; 16
	MaxChildren      int           // child workflows and programs at work at once; 4
}

// Budget counts tokens; each answer tells the workflow how many are spent.
type Budget struct {
	mutex sync.Mutex
	state BudgetState
}

// NewBudget is a budget with a ceiling, of which nothing is spent.
func NewBudget(total int64) *Budget { return &Budget{state: BudgetState{Total: &total}} }

// Spend adds tokens.
func (b *Budget) Spend(tokens int64) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.state.Spent += tokens
}

func (b *Budget) now() *BudgetState {
	if b == nil {
		return nil
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	state := b.state
	return &state
}

// Usage is what a run took.
type Usage struct {
	Wall          time.Duration
	Requests      int
	Messages      int
	BytesSent     int64
	BytesReceived int64
}

// Outcome is the result of a run, and its report: the first 10,000 logs, phases and diagnostics.
type Outcome struct {
	Result      json.RawMessage
	Logs        [][]json.RawMessage
	Phases      []string
	Diagnostics []Diagnostic
	Isolation   map[string]Layer
	Limits      Limits
	Usage       Usage
}

// Decode stores the result in what v points to.
func (o *Outcome) Decode(v any) error { return json.Unmarshal(o.Result, v) }

// Run runs one workflow in a child of its own, which has ended when Run returns. Where there is no result, the outcome
// still has the report until then, and the error is one of this package's, an Error.
func Run(ctx context.Context, source string, options Options) (*Outcome, error) {
	options.setDefaults()
	began, outcome := time.Now(), &Outcome{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := converse(ctx, source, &options, outcome)
	outcome.Usage.Wall = time.Since(began)
	return outcome, err
}

func (o *Options) setDefaults() {
	if o.Transport == nil {
		o.Transport = Spawn{}
	}
	setDefault(&o.Timeout, defaultTimeout)
	setDefault(&o.AnswerGrace, defaultAnswerGrace)
	setDefault(&o.MaxReceivedBytes, defaultMaxReceivedBytes)
	setDefault(&o.MaxAgents, 16)
	setDefault(&o.MaxChildren, 4)
}

func setDefault[T int | int64 | time.Duration](value *T, byDefault T) {
	if *value <= 0 {
		*value = byDefault
	}
}

func converse(ctx context.Context, source string, options *Options, outcome *Outcome) error {
	opening, stop := context.WithTimeout(ctx, options.Timeout)
	defer stop()
	child, err := Open(ctx, within{options.Transport, opening})
	if err != nil {
		if opening.Err() != nil && ctx.Err() == nil {
			return timedOut(options)
		}
		return err
	}
	child.MaxReceivedBytes = options.MaxReceivedBytes
	deadline := time.AfterFunc(options.Timeout, func() { _ = child.Fail(timedOut(options)) })
	defer deadline.Stop()
	run := &run{options: options, outcome: outcome, child: child}
	err = run.drive(ctx, source)
	var failed *WorkflowFailed
	if err != nil && !errors.As(err, &failed) {
		_ = child.Fail(err)
	}
	child.Close()
	requests := outcome.Usage.Requests
	outcome.Usage = child.usageSoFar()
	outcome.Usage.Requests = requests
	return err
}

// within bounds the time that a transport may take to open a link, not the link's.
type within struct {
	Transport
	ctx context.Context
}

func (w within) Open(context.Context) (Link, error) { return w.Transport.Open(w.ctx) }

func timedOut(options *Options) error {
	text := fmt.Sprintf("the run took longer than its limit of %v", options.Timeout)
	return &TimedOut{ChildError: ChildError{message: text}}
}

type run struct {
	options *Options
	outcome *Outcome
	child   *Child
	joined  bool // whether run and advance are used
}

// drive handles a drain, sends the answers and the next drain, until the run is over.
func (r *run) drive(ctx context.Context, source string) error {
	initialized, err := r.child.Initialize(r.options.Limits, r.options.Isolation)
	if err != nil {
		return err
	}
	r.outcome.Limits, r.outcome.Isolation = initialized.Limits, initialized.Isolation
	r.joined = initialized.Has("run") && initialized.Has("advance")
	answers := newAnswers(ctx, r.options, r.child)
	defer answers.stop()
	if len(r.options.Modules) > 0 && !initialized.Has("imports") {
		text := "the child takes no modules: it has no method imports; use a newer one"
		return &RunRefused{ChildError: ChildError{message: text}}
	}
	o := r.options
	start := Start{source, o.SourceName, o.Args, o.Budget.now(), o.Dialect, o.Modules}
	drained, err := r.begin(start)
	for isFailing := false; ; {
		if err != nil {
			return believed(err)
		}
		if err := r.takeIn(drained); err != nil {
			return err
		}
		if err := answers.admit(*drained.Requests); err != nil {
			return err
		}
		if err := requirePossible(drained, answers.outstanding, isFailing); err != nil {
			return err
		}
		isFailing = drained.More
		if drained.State == "complete" {
			r.outcome.Result = drained.Output.Result
			return nil
		}
		answers.begin(*drained.Requests)
		if drained.Stalled {
			return &WorkflowStalled{}
		}
		var settled []Settlement
		if !drained.More {
			if settled, err = answers.wait(); err != nil {
				return err
			}
		}
		drained, err = r.goOn(settled)
	}
}

func (r *run) begin(start Start) (*Drained, error) {
	if !r.joined {
		r.allow(1)
		return r.drainAfter(message{"start", start})
	}
	r.allow(2) // to compile and to run are two steps
	defer r.allow(1)
	var drained Drained
	return &drained, r.child.exchange([]message{{"run", start}}, &drained)
}

func (r *run) goOn(settled []Settlement) (*Drained, error) {
	if r.joined && len(settled) > 0 {
		var drained Drained
		err := r.child.exchange([]message{{"advance", advance{[][]Settlement{settled}}}}, &drained)
		var cannotSend *CannotSend
		if !errors.As(err, &cannotSend) {
			return &drained, err
		}
		// One is no JSON, or all together are too long for a line: from now on each has one of its own.
		r.joined = false
	}
	var messages []message
	for _, settlement := range settled {
		messages = append(messages, message{"resolve", settlement})
	}
	return r.drainAfter(messages...)
}

// drainAfter sends, in one write, messages and the drain that lets them take effect.
func (r *run) drainAfter(messages ...message) (*Drained, error) {
	var drained Drained
	return &drained, r.child.exchange(append(messages, message{"drain", struct{}{}}), &drained)
}

// allow gives each answer of the child time for so many steps.
func (r *run) allow(steps int64) {
	stepTimeout := steps * orDefault(r.options.Limits.StepTimeoutMs, defaultStepTimeout)
	r.child.AnswerTimeout = milliseconds(stepTimeout) + r.options.AnswerGrace
	r.child.AnswerClock = milliseconds(stepClockFactor*stepTimeout) + r.options.AnswerGrace
}

// requirePossible ends a run whose child reports a state that cannot be true: docs/protocol.md, "What cannot be true".
func requirePossible(drained *Drained, outstanding int, isFailing bool) error {
	said := 0
	for _, is := range []bool{drained.State == "complete", drained.Stalled, drained.More} {
		if is {
			said++
		}
	}
	switch {
	case isFailing:
		return violation("says that the workflow has not failed after all")
	case said > 1:
		return violation("says that the workflow is in two states at once")
	case drained.Stalled && outstanding > 0:
		return violation("says that the workflow can never finish, while requests of it are outstanding")
	case said == 0 && outstanding == 0:
		return violation("says that the workflow waits, but nothing is outstanding that it could wait for")
	}
	return nil
}

// believed makes a refusal a protocol violation: a child that has seen source may be compromised, and a correct one
// does not refuse messages that keep the contract.
func believed(err error) error {
	var refused *RunRefused
	if errors.As(err, &refused) {
		return violation("refused a message (%s), which no child may", refused.Kind)
	}
	return err
}

func (r *run) takeIn(drained *Drained) error {
	if err := drained.check(); err != nil {
		return err
	}
	if int64(len(*drained.Calls))*queuedItemBytes > orDefault(r.options.Limits.MaxQueuedBytes, defaultMaxQueued) {
		return violation("has more calls queued than its limit")
	}
	r.outcome.Usage.Requests += len(*drained.Requests)
	for _, call := range *drained.Calls {
		if err := r.listen(call); err != nil {
			return err
		}
	}
	for _, note := range drained.Diagnostics {
		keep(&r.outcome.Diagnostics, note)
	}
	return nil
}

func (r *run) listen(call Call) error {
	switch call.Type {
	case "log":
		keep(&r.outcome.Logs, call.Values)
		if r.options.OnLog != nil {
			r.options.OnLog(call.Values)
		}
	case "phase":
		keep(&r.outcome.Phases, *call.Name)
		if r.options.OnPhase != nil {
			r.options.OnPhase(*call.Name, call.Options)
		}
	default:
		return violation("made a call of an unknown type: %s", shorten(call.Type))
	}
	return nil
}

func keep[T any](list *[]T, item T) {
	if len(*list) < mostKept {
		*list = append(*list, item)
	}
}

func orDefault(value, byDefault int64) int64 {
	if value == 0 {
		return byDefault
	}
	return value
}

func milliseconds(count int64) time.Duration {
	if count > math.MaxInt64/int64(2*time.Millisecond) {
		return math.MaxInt64 / 2
	}
	return time.Duration(count) * time.Millisecond
}
