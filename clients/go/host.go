package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	defaultCloseGrace = 10 * time.Second
	cancelGrace       = time.Minute
)

// HostOptions is how a host is started or reached. Zero values mean the default.
type HostOptions struct {
	Command  []string // program and arguments; flowcage host
	Dir      string   // its working folder; ours
	Env      []string // its environment; ours
	Socket   string   // in place of a command: the path of flowcage host --socket PATH
	Handlers Handlers
	// What becomes of our runs when we are gone: cancel or continue; cancel.
	OnDisconnect string
	CloseGrace   time.Duration // how long Close waits for each of: its runs' ends, its own end, and that after SIGTERM; 10 s
}

// Host runs workflows in flowcage's host, which has retries, schemas, caps, budgets, the store, and children in cages.
type Host struct {
	Info HostInfo

	session   *session
	options   HostOptions
	waits     chan struct{} // one place for each run.wait that may be unanswered
	others    chan struct{} // and for each other request
	closeOnce sync.Once

	mutex sync.Mutex
	runs  map[string][]*HostRun // by id: a run may be begun twice, by its key
}

// OpenHost starts or reaches a host and agrees with it on the version. Close must follow. The context is that of opening.
func OpenHost(ctx context.Context, options HostOptions) (*Host, error) {
	setDefault(&options.CloseGrace, defaultCloseGrace)
	link, err := options.open(ctx)
	if err != nil {
		return nil, hostGone("there is no host", err)
	}
	host := &Host{
		session: newSession(link), options: options, runs: map[string][]*HostRun{},
		waits: make(chan struct{}, 1), others: make(chan struct{}, 1),
	}
	host.session.handle, host.session.notified = host.handle, host.notified
	host.session.begin()
	if err := host.initialize(ctx); err != nil {
		host.session.link.Kill()
		host.Close()
		return nil, err
	}
	return host, nil
}

func (o *HostOptions) open(ctx context.Context) (Link, error) {
	if o.Socket != "" {
		return Socket(o.Socket).Open(ctx)
	}
	command := o.Command
	if len(command) == 0 {
		command = []string{"flowcage", "host"}
	}
	process := exec.Command(command[0], command[1:]...)
	process.Dir, process.Env = o.Dir, o.Env
	link := newProcessLink()
	return link, link.start(process)
}

func (h *Host) initialize(ctx context.Context) error {
	params := map[string]any{
		"protocolVersion": HostProtocolVersion,
		"clientInfo":      Peer{"flowcage-go", "0.1.0"},
		"handlers":        h.options.Handlers.kinds(),
	}
	if h.options.OnDisconnect != "" {
		params["onDisconnect"] = h.options.OnDisconnect
	}
	_, err := h.call(ctx, h.others, "initialize", params, func(result json.RawMessage) error {
		if json.Unmarshal(result, &h.Info) != nil || h.Info.MaxMessageBytes < 1 || h.Info.MaxOpenRequests < 1 {
			return hostViolation("answered initialize with %.100s", result)
		}
		if h.Info.ProtocolVersion != HostProtocolVersion {
			return hostViolation("goes on with version %.40q of the protocol, not %s", h.Info.ProtocolVersion, HostProtocolVersion)
		}
		h.session.mutex.Lock()
		h.session.maxBytes = h.Info.MaxMessageBytes
		h.session.mutex.Unlock()
		return nil
	})
	if err != nil {
		return err
	}
	// Waiting takes as long as a run does, and must not be in the way of the other requests.
	waits := atLeast1(h.Info.MaxOpenRequests * 9 / 10)
	h.waits = make(chan struct{}, waits)
	h.others = make(chan struct{}, atLeast1(h.Info.MaxOpenRequests-waits))
	return nil
}

// Close leaves the host: it ends our runs, or lets them go on, by OnDisconnect. A process of ours has ended then, and so
// has every handler: Close waits for them.
func (h *Host) Close() {
	h.closeOnce.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), h.options.CloseGrace)
		defer cancel()
		_ = h.Call(ctx, "shutdown", struct{}{}, nil)
		link := h.session.link
		_ = link.CloseWrite()
		if link.Ended(h.options.CloseGrace) == nil {
			terminate(link)
		}
		if link.Ended(h.options.CloseGrace) == nil {
			link.Kill()
		}
		h.session.fail(hostGone("the host was closed", nil))
		link.Kill()
		link.Close()
		h.session.threads.Wait()
		h.session.handlers.Wait()
	})
}

// Call sends any request of the protocol, and stores its result in what result points to, unless that is nil. Its error
// is a HostRefused, a HostGone, or the context's.
func (h *Host) Call(ctx context.Context, method string, params, result any) error {
	text, err := h.call(ctx, h.others, method, params, nil)
	if err == nil && result != nil {
		if wrong := json.Unmarshal(text, result); wrong != nil {
			err = hostViolation("answered %s with %v", method, wrong)
		}
	}
	return err
}

// call sends a request once there is a place for it, which it has until it is answered, whether or not we still wait.
func (h *Host) call(
	ctx context.Context, places chan struct{}, method string, params any, taken func(json.RawMessage) error,
) (json.RawMessage, error) {
	select {
	case places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-h.session.gone:
		return nil, h.session.failure()
	}
	ready, err := h.session.request(ctx, method, params, taken)
	if err != nil {
		<-places
		return nil, err
	}
	select {
	case answer := <-ready:
		<-places
		return answer.result, answer.err
	case <-ctx.Done():
		go func() { <-ready; <-places }()
		return nil, ctx.Err()
	}
}

// Get tells how a run stands.
func (h *Host) Get(ctx context.Context, runID string) (*RunDetails, error) {
	var details RunDetails
	err := h.Call(ctx, "run.get", map[string]any{"runId": runID}, &details)
	return &details, err
}

// List lists runs, the newest first.
func (h *Host) List(ctx context.Context, chosen ListRuns) (*RunList, error) {
	var list RunList
	err := h.Call(ctx, "run.list", chosen, &list)
	return &list, err
}

// Cancel ends a run, whoever started it. It has ended then, unless another host has it, which was asked to.
func (h *Host) Cancel(ctx context.Context, runID, reason string) error {
	return h.Call(ctx, "run.cancel", map[string]any{"runId": runID, "reason": reason}, nil)
}

// Explain tells what going on with a run would reuse and ask; nobody is asked.
func (h *Host) Explain(ctx context.Context, resume Resume) (*Explanation, error) {
	var explained struct {
		Explanation Explanation `json:"explanation"`
	}
	err := h.Call(ctx, "run.resume", resume, &explained)
	return &explained.Explanation, err
}

// Answer answers a question of a kept run.
func (h *Host) Answer(ctx context.Context, runID, questionID string, value any) error {
	params := map[string]any{"runId": runID, "questionId": questionID, "value": value}
	return h.Call(ctx, "run.answer", params, nil)
}

// Reject refuses to answer a question of a kept run: ask() rejects with this message.
func (h *Host) Reject(ctx context.Context, runID, questionID, message string) error {
	params := map[string]any{"runId": runID, "questionId": questionID, "message": message}
	return h.Call(ctx, "run.reject", params, nil)
}

// Check tells what is wrong with a source, of which nothing runs.
func (h *Host) Check(ctx context.Context, check HostCheck) (*Checked, error) {
	var checked Checked
	err := h.Call(ctx, "check", check, &checked)
	return &checked, err
}

// notified takes a notification of the host; one of a later version is ignored.
func (h *Host) notified(method string, params json.RawMessage) error {
	if method != "run.event" {
		return nil
	}
	var told struct {
		RunID string          `json:"runId"`
		Event json.RawMessage `json:"event"`
	}
	event := Event{}
	if json.Unmarshal(params, &told) != nil || json.Unmarshal(told.Event, &event) != nil {
		return hostViolation("sent an event that is none: %.100s", params)
	}
	event.Raw = told.Event
	for _, run := range h.runsOf(told.RunID) {
		if run.events != nil {
			run.events.push(event)
		}
	}
	return nil
}

func (h *Host) handlersOf(params json.RawMessage) Handlers {
	var of struct {
		RootRunID string `json:"rootRunId"`
	}
	_ = json.Unmarshal(params, &of)
	if runs := h.runsOf(of.RootRunID); len(runs) > 0 {
		return runs[len(runs)-1].handlers.over(h.options.Handlers)
	}
	return h.options.Handlers
}

func (h *Host) runsOf(id string) []*HostRun {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.runs[id]
}

// forget makes a run unknown. It makes another list, for whoever goes through the one that there is.
func (h *Host) forget(run *HostRun) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var others []*HostRun
	for _, other := range h.runs[run.ID] {
		if other != run {
			others = append(others, other)
		}
	}
	if h.runs[run.ID] = others; others == nil {
		delete(h.runs, run.ID)
	}
}

func terminate(link Link) {
	if process, err := os.FindProcess(link.Pid()); err == nil && link.Pid() != 0 {
		_ = process.Signal(syscall.SIGTERM)
	}
}

func atLeast1(value int) int {
	if value < 1 {
		return 1
	}
	return value
}

func isContexts(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
