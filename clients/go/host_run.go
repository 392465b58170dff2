package flowcage

import (
	"context"
	"encoding/json"
)

// HostRun is a run of a Host. It goes on whether or not anybody waits for its outcome.
type HostRun struct {
	ID string

	host     *Host
	handlers Handlers
	events   *events // nil where nobody hears them
	done     chan struct{}
	outcome  *RunOutcome // once done
	err      error       // once done: there is no outcome
}

// Run runs a workflow to its end. Where there is no result, the error is a RunFailed with the outcome. The run is
// cancelled, and its child has ended, when Run returns since the context is done.
func (h *Host) Run(ctx context.Context, workflow Workflow) (*RunOutcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	run, err := h.Start(context.Background(), workflow) // a start whose answer is not awaited could not be cancelled
	if err != nil {
		return nil, err
	}
	outcome, err := run.Wait(ctx)
	if ctx.Err() == nil || !isContexts(err) {
		return outcome, err
	}
	return run.end(ctx.Err())
}

// end cancels the run and waits for its end.
func (r *HostRun) end(cause error) (*RunOutcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	_ = r.host.Cancel(ctx, r.ID, cause.Error()) // where it has ended before, there is its outcome
	outcome, err := r.Wait(ctx)
	if failed, ok := err.(*RunFailed); ok {
		failed.cause = cause
	}
	return outcome, err
}

// Start starts a run, which the host has then, and with a store has kept.
func (h *Host) Start(ctx context.Context, workflow Workflow) (*HostRun, error) {
	params := struct {
		*Workflow
		Events bool `json:"events"`
	}{&workflow, workflow.OnEvent != nil}
	return h.begin(ctx, "run.start", params, workflow.Heard)
}

// Resume goes on with a kept run that nobody has. It is returned as soon as it goes on.
func (h *Host) Resume(ctx context.Context, resume Resume) (*HostRun, error) {
	params := struct {
		*Resume
		Start  bool `json:"start"`
		Events bool `json:"events"`
	}{&resume, true, resume.OnEvent != nil}
	return h.begin(ctx, "run.resume", params, resume.Heard)
}

// Attach answers the requests of a run of the host whose client is gone.
func (h *Host) Attach(ctx context.Context, runID string, heard Heard) (*HostRun, error) {
	params := map[string]any{"runId": runID, "events": heard.OnEvent != nil}
	return h.begin(ctx, "run.attach", params, heard)
}

// Wait waits for the run's end, until which all its events were heard. Where there is no result, the error is a RunFailed.
func (r *HostRun) Wait(ctx context.Context) (*RunOutcome, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.err == nil && r.outcome.Verdict != "completed" {
		return r.outcome, &RunFailed{Outcome: r.outcome}
	}
	return r.outcome, r.err
}

// Cancel ends the run.
func (r *HostRun) Cancel(ctx context.Context, reason string) error {
	return r.host.Cancel(ctx, r.ID, reason)
}

func (h *Host) begin(ctx context.Context, method string, params any, heard Heard) (*HostRun, error) {
	run := &HostRun{host: h, handlers: heard.Handlers, done: make(chan struct{})}
	if heard.OnEvent != nil {
		run.events = newEvents(heard.OnEvent)
	}
	_, err := h.call(ctx, h.others, method, params, func(result json.RawMessage) error {
		return h.know(run, result)
	})
	if err != nil {
		return nil, err
	}
	return run, nil
}

// know makes a run known before the host's next line, in which it may ask or tell already.
func (h *Host) know(run *HostRun, result json.RawMessage) error {
	var begun struct {
		RunID string `json:"runId"`
	}
	if json.Unmarshal(result, &begun) != nil || begun.RunID == "" {
		return hostViolation("began a run without an id")
	}
	run.ID = begun.RunID
	h.mutex.Lock()
	h.runs[run.ID] = append(h.runs[run.ID], run)
	h.mutex.Unlock()
	h.session.handlers.Add(1)
	if run.events != nil {
		run.events.runID = run.ID
		go run.events.pass()
	}
	go run.follow()
	return nil
}

// follow waits for the run's end and for what it said until then.
func (r *HostRun) follow() {
	defer r.host.session.handlers.Done()
	defer close(r.done)
	var ended struct {
		Outcome *RunOutcome `json:"outcome"`
	}
	params := map[string]any{"runId": r.ID}
	text, err := r.host.call(context.Background(), r.host.waits, "run.wait", params, nil)
	if err == nil && (json.Unmarshal(text, &ended) != nil || ended.Outcome == nil || ended.Outcome.Verdict == "") {
		err = hostViolation("told the end of a run by %.100s", text)
	}
	r.outcome, r.err = ended.Outcome, err
	r.host.forget(r)
	if r.events != nil {
		r.events.close()
		<-r.events.done
	}
}
