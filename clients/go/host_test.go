package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// openHost starts a host without a store; it, and all that it began, has ended at the end of the test.
func openHost(t *testing.T, handlers Handlers) *Host {
	t.Helper()
	host, err := OpenHost(context.Background(), HostOptions{Command: flowcageHost(t, "--no-store"), Handlers: handlers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		host.Close()
		requireNoGoroutines(t)
	})
	return host
}

func connectHost(t *testing.T, socket string, options HostOptions) *Host {
	t.Helper()
	options.Socket = socket
	host, err := OpenHost(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(host.Close)
	return host
}

func shout(_ context.Context, call *AgentCall) (*AgentAnswer, error) {
	return &AgentAnswer{Value: strings.ToUpper(call.Prompt), Spent: Spent{Usage: &TokenUsage{Input: 2, Output: 3}}}, nil
}

func TestAHostIsStartedAndRunsWorkflows(t *testing.T) {
	host := openHost(t, Handlers{Agent: shout})
	if host.Info.ProtocolVersion != HostProtocolVersion || host.Info.Store {
		t.Errorf("%+v", host.Info)
	}
	var types []string
	hear := func(event Event) { types = append(types, event.Type) }
	outcome, err := host.Run(context.Background(), Workflow{
		Source: "phase('Greet'); return agent('hello ' + args)", Args: "Ada", Heard: Heard{OnEvent: hear},
	})
	if err != nil || string(outcome.Result) != `"HELLO ADA"` || outcome.Phases[0].Title != "Greet" {
		t.Fatal(outcome, err)
	}
	// All were heard before Run returned.
	if types[0] != "started" || types[len(types)-1] != "ended" {
		t.Error(types)
	}
}

func TestRunsAtOnceAreAnsweredByTheirOwnHandlers(t *testing.T) {
	host := openHost(t, Handlers{Agent: shout})
	var runs sync.WaitGroup
	for number := 0; number < 30; number++ {
		number := number
		runs.Add(1)
		go func() {
			defer runs.Done()
			own := Handlers{Agent: func(_ context.Context, call *AgentCall) (*AgentAnswer, error) {
				return &AgentAnswer{Value: fmt.Sprint(call.Prompt, number)}, nil
			}}
			if number%2 == 0 {
				own = Handlers{} // those of the host
			}
			outcome, err := host.Run(context.Background(), Workflow{Source: "return agent('a')", Heard: Heard{Handlers: own}})
			want := fmt.Sprintf(`"a%d"`, number)
			if number%2 == 0 {
				want = `"A"`
			}
			if err != nil || string(outcome.Result) != want {
				t.Errorf("%s in place of %s: %v", outcome.Result, want, err)
			}
		}()
	}
	runs.Wait()
}

func TestADoneContextCancelsTheRunAndItsHandlers(t *testing.T) {
	atWork, left := make(chan struct{}), make(chan struct{})
	host := openHost(t, Handlers{Agent: func(ctx context.Context, _ *AgentCall) (*AgentAnswer, error) {
		close(atWork)
		<-ctx.Done()
		close(left)
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-atWork; cancel() }()
	outcome, err := host.Run(ctx, Workflow{Source: "return agent('a')"})
	var failed *RunFailed
	if !errors.As(err, &failed) || !errors.Is(err, context.Canceled) || outcome.Verdict != "cancelled" {
		t.Fatal(outcome, err)
	}
	<-left
	if _, err := host.Run(context.Background(), Workflow{Source: "return 1"}); err != nil {
		t.Error(err) // the host goes on
	}
}

func TestAHostThatIsKilledIsToldOfToAllWhoWait(t *testing.T) {
	atWork := make(chan struct{})
	host := openHost(t, Handlers{Agent: func(ctx context.Context, _ *AgentCall) (*AgentAnswer, error) {
		close(atWork)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	go func() {
		<-atWork
		_ = syscall.Kill(host.session.link.Pid(), syscall.SIGKILL)
	}()
	_, err := host.Run(context.Background(), Workflow{Source: "return agent('a')"})
	var gone *HostGone
	if !errors.As(err, &gone) || gone.Ended == nil || gone.Ended.Signal != "killed" {
		t.Fatal(err)
	}
	if _, err := host.List(context.Background(), ListRuns{}); !errors.As(err, &gone) {
		t.Error(err)
	}
}

func TestWhatTheHostDoesNotDoIsToldByKind(t *testing.T) {
	host := openHost(t, Handlers{})
	ctx := context.Background()
	_, unknown := host.Get(ctx, "nobody")
	_, limit := host.Start(ctx, Workflow{Source: "return 1", Limits: &Limits{CPUSeconds: -1}})
	_, resume := host.Resume(ctx, Resume{RunID: "nobody"})
	for kind, err := range map[string]error{
		"unknown_run": unknown, "invalid_params": limit, "no_store": resume,
		"method_not_found": host.Call(ctx, "run.shout", map[string]any{}, nil),
		"invalid_state":    host.Call(ctx, "initialize", map[string]any{"protocolVersion": "1.0"}, nil),
	} {
		var refused *HostRefused
		if !errors.As(err, &refused) || refused.Kind != kind {
			t.Errorf("%s: %v", kind, err)
		}
	}
	var cannotSend *CannotSend
	if _, err := host.Start(ctx, Workflow{Source: strings.Repeat("x", host.Info.MaxMessageBytes)}); !errors.As(err, &cannotSend) {
		t.Error(err)
	}
	if _, err := host.Start(ctx, Workflow{Args: func() {}}); !errors.As(err, &cannotSend) {
		t.Error(err)
	}
}

func TestAnAnswerThatCannotBeSentRejectsItsCall(t *testing.T) {
	var host *Host
	host = openHost(t, Handlers{Agent: func(_ context.Context, call *AgentCall) (*AgentAnswer, error) {
		if call.Prompt == "long" {
			return &AgentAnswer{Value: strings.Repeat("x", host.Info.MaxMessageBytes)}, nil
		}
		if call.Prompt == "wordy" {
			return &AgentAnswer{Value: wordy(host.Info.MaxMessageBytes)}, nil
		}
		return &AgentAnswer{Value: func() {}}, nil
	}})
	source := "export default Promise.all(['long', 'odd', 'wordy'].map((p) => agent(p).catch((error) => error.message)))"
	outcome, err := host.Run(context.Background(), Workflow{Source: source})
	if err != nil || strings.Count(string(outcome.Result), "cannot be sent") != 3 {
		t.Fatal(outcome, err)
	}
}

// wordy is no JSON, for a reason of so many bytes.
type wordy int

func (w wordy) MarshalJSON() ([]byte, error) { return nil, errors.New(strings.Repeat("x", int(w))) }

func TestAHandlerThatEndsItsGoroutineIsToldAsBroken(t *testing.T) {
	host := openHost(t, Handlers{Agent: func(context.Context, *AgentCall) (*AgentAnswer, error) {
		runtime.Goexit() // as t.Fatal does
		return nil, nil
	}})
	outcome, err := host.Run(context.Background(), Workflow{Source: "return agent('a')"})
	var failed *RunFailed
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), errNoReturn.Error()) {
		t.Fatal(outcome, err)
	}
}

func TestABrokenHandlerIsToldAsOneHoweverLongItsErrorIs(t *testing.T) {
	var host *Host
	host = openHost(t, Handlers{Agent: func(context.Context, *AgentCall) (*AgentAnswer, error) {
		return nil, errors.New(strings.Repeat("x", host.Info.MaxMessageBytes))
	}})
	outcome, err := host.Run(context.Background(), Workflow{Source: "return agent('x')"})
	if outcome == nil || outcome.Verdict != "host_fault" {
		t.Fatal(outcome, err)
	}
}

func TestARunThatIsBegunTwiceByItsKeyIsHeardByBoth(t *testing.T) {
	goOn := make(chan struct{})
	options := HostOptions{Command: flowcageHost(t, "--store", t.TempDir()+"/runs.db")}
	options.Handlers.Agent = func(context.Context, *AgentCall) (*AgentAnswer, error) {
		<-goOn
		return &AgentAnswer{Value: 1}, nil
	}
	ctx := context.Background()
	host, err := OpenHost(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	var heard [2][]string
	var runs [2]*HostRun
	for number := range runs {
		number := number
		hear := Heard{OnEvent: func(event Event) { heard[number] = append(heard[number], event.Type) }}
		workflow := Workflow{Source: "return agent('x')", Key: "k", Heard: hear}
		if runs[number], err = host.Start(ctx, workflow); err != nil {
			t.Fatal(err)
		}
	}
	close(goOn)
	for _, run := range runs {
		if _, err := run.Wait(ctx); err != nil || run.ID != runs[0].ID {
			t.Fatal(err, run.ID)
		}
	}
	for _, each := range heard {
		if said := strings.Join(each, " "); !strings.HasSuffix(said, "agent_completed ended") {
			t.Error(heard)
		}
	}
}

func TestASourceIsCheckedAndNotRun(t *testing.T) {
	checked, err := openHost(t, Handlers{}).Check(context.Background(), HostCheck{
		Source: "agent('x')\nreturn nothing", SourceName: "a.js",
	})
	if err != nil || checked.Dialect != "script" || len(checked.Findings) == 0 || checked.Findings[0].Line == 0 {
		t.Fatal(checked, err)
	}
}

func TestANewClientAnswersARunWhoseClientIsGone(t *testing.T) {
	socket := hostSocket(t, "--no-store")
	atWork := make(chan struct{})
	first := connectHost(t, socket, HostOptions{
		OnDisconnect: "continue",
		Handlers: Handlers{Agent: func(ctx context.Context, _ *AgentCall) (*AgentAnswer, error) {
			close(atWork)
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	})
	if _, err := first.Start(context.Background(), Workflow{Source: "return agent('a')", RunID: "r"}); err != nil {
		t.Fatal(err)
	}
	<-atWork
	first.Close()
	interrupted := make(chan bool, 1)
	second := connectHost(t, socket, HostOptions{
		Handlers: Handlers{Agent: func(_ context.Context, call *AgentCall) (*AgentAnswer, error) {
			interrupted <- call.Interrupted
			return &AgentAnswer{Value: 2}, nil
		}},
	})
	run, err := second.Attach(context.Background(), "r", Heard{})
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := run.Wait(context.Background())
	if err != nil || string(outcome.Result) != "2" || !<-interrupted {
		t.Fatal(outcome, err)
	}
}

func TestAKeptRunIsExplainedGoneOnWithAndRemembersItsSession(t *testing.T) {
	store := t.TempDir() + "/runs.db"
	options := HostOptions{Command: flowcageHost(t, "--store", store)}
	options.Handlers.Agent = func(ctx context.Context, call *AgentCall) (*AgentAnswer, error) {
		if call.Prompt == "a" {
			return &AgentAnswer{Value: 1}, nil
		}
		if err := call.Remember(ctx, "session-7"); err != nil {
			return nil, err
		}
		return nil, &AgentFailure{Kind: "unavailable", Message: "no credit"}
	}
	ctx := context.Background()
	host, err := OpenHost(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := host.Run(ctx, Workflow{Source: "return [await agent('a'), await agent('b')]", RunID: "r"})
	if outcome == nil || outcome.Verdict != "agents_unavailable" {
		t.Fatal(outcome, err)
	}
	host.Close()
	var handle *string
	options.Handlers.Agent = func(_ context.Context, call *AgentCall) (*AgentAnswer, error) {
		handle = call.Handle
		return &AgentAnswer{Value: 2}, nil
	}
	if host, err = OpenHost(ctx, options); err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	explained, err := host.Explain(ctx, Resume{RunID: "r"})
	if err != nil || explained.Reused != 1 || explained.IsComplete {
		t.Fatal(explained, err)
	}
	run, err := host.Resume(ctx, Resume{RunID: "r"})
	if err != nil {
		t.Fatal(err)
	}
	if outcome, err = run.Wait(ctx); err != nil || string(outcome.Result) != "[1,2]" || handle == nil || *handle != "session-7" {
		t.Fatal(outcome, err, handle)
	}
	details, err := host.Get(ctx, "r")
	if err != nil || details.Run.State != "ended" || details.Outcome == nil {
		t.Fatal(details, err)
	}
	list, err := host.List(ctx, ListRuns{State: "ended"})
	if err != nil || len(list.Runs) != 1 || list.Runs[0].RunID != "r" {
		t.Fatal(list, err)
	}
}

func TestEventsBeyondWhatIsHeldAreAGapAndTheLastIsHeard(t *testing.T) {
	big := json.RawMessage(strings.Repeat(" ", mostEventBytesHeld/2))
	for name, event := range map[string]Event{"many": {Type: "log"}, "large": {Type: "log", Raw: big}} {
		var heard []Event
		held := newEvents(func(event Event) { heard = append(heard, event) })
		most := mostEventsHeld
		if event.Raw != nil {
			most = 2
		}
		for number := 0; number < most+5; number++ {
			held.push(event)
		}
		held.push(Event{Type: "ended"})
		held.close()
		held.push(Event{Type: "log"}) // nobody waits for it
		held.pass()
		var gap struct{ Dropped int }
		last := heard[len(heard)-2:]
		if err := json.Unmarshal(last[0].Raw, &gap); err != nil || gap.Dropped != 5 || last[1].Type != "ended" {
			t.Error(name, last)
		}
		if len(heard) != most+2 {
			t.Error(name, len(heard))
		}
	}
}

func TestOpeningIsBoundByItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := OpenHost(ctx, HostOptions{Command: []string{"sleep", "1000"}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	var gone *HostGone
	for _, options := range []HostOptions{
		{Command: []string{"/nowhere"}}, {Socket: "/nowhere"}, {Command: []string{"sh", "-c", "echo why >&2; exit 3"}},
	} {
		if _, err := OpenHost(context.Background(), options); !errors.As(err, &gone) {
			t.Errorf("%+v: %v", options, err)
		}
	}
	if gone.Ended.ExitCode != 3 || gone.Ended.Stderr != "why" {
		t.Errorf("%+v", gone.Ended)
	}
	requireNoGoroutines(t)
}
