package flowcage

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// What a host must end at, whatever the answer: faults of the fake child of flowcage's conformance kit.
var lines = []string{
	"print", "wrong-id", "id-text", "id-of-null", "other-case", "other-jsonrpc", "result-and-error",
	"neither-result-nor-error", "error-without-kind", "batch", "invalid-utf-8", "byte-order-mark", "number-too-large",
	"nested", "many-values", "endless-line",
}

// The same, each at the step that it is about.
var lies = []string{
	"initialize/other-version", "initialize/longer-messages", "drain/same-id-twice", "drain/request-of-null",
	"drain/request-without-id", "drain/sleep-below-zero", "drain/without-calls", "drain/complete-without-output",
	"drain/unknown-state", "drain/inherited-call", "drain/inherited-request", "drain/null-result",
	"drain/id-left-out", "drain/id-below-the-first", "again/settled-id", "drain/stalled-and-waiting",
	"drain/waits-for-nothing", "drain/more-and-a-result", "drain/internal-error", "resolve/internal-error",
}

// Before a scenario: as played by a child that has run and advance, and by one that is older than these.
var ages = []string{"", "older:"}

// What the fake child's workflow comes to.
const fakeResult = `"conformance-result-7b1e"`

func runFake(t *testing.T, open opener, scenario string) error {
	t.Helper()
	transport := open(t, module(t, "flowcage.conformance.fake_child", scenario))
	options := Options{
		Transport: transport, Isolation: "none", Limits: Limits{StepTimeoutMs: 300}, AnswerGrace: time.Second,
		Agent: func(ctx context.Context, _ Request) (any, error) {
			if strings.Contains(scenario, "waiting/") {
				<-ctx.Done()
			}
			return "hi", nil
		},
	}
	outcome, err := Run(context.Background(), "unused", options)
	if err == nil && string(outcome.Result) != fakeResult {
		t.Fatalf("it came to %s", outcome.Result)
	}
	requireNoGoroutines(t)
	return err
}

func TestADyingChildIsToldOfAtEveryStep(t *testing.T) {
	for name, open := range transports {
		for _, step := range []string{"begin", "initialize", "start", "drain", "waiting", "resolve", "again"} {
			for how, expected := range map[string]Ended{
				"dies": {Signal: "killed", ExitCode: -1}, "exits-3": {ExitCode: 3, Stderr: "the reason"}, "dies-in-line": {},
			} {
				t.Run(name+" "+step+" "+how, func(t *testing.T) {
					var died *ChildDied
					if err := runFake(t, open, step+"/"+how); !errors.As(err, &died) || died.ChildAlive() {
						t.Fatalf("it is told as %v", err)
					}
					if name == "socket" {
						expected = Ended{ExitCode: -1}
					}
					if died.Ended != expected {
						t.Fatalf("it ended with %+v", died.Ended)
					}
				})
			}
		}
	}
}

func TestALineThatIsNoAnswerIsAViolationAtEveryStep(t *testing.T) {
	for name, open := range transports {
		for _, step := range []string{"begin", "initialize", "start", "drain", "waiting", "resolve", "again"} {
			for _, age := range ages {
				scenario := age + step + "/print"
				t.Run(name+" "+scenario, func(t *testing.T) { requireViolation(t, runFake(t, open, scenario)) })
			}
		}
		for _, what := range lines {
			t.Run(name+" "+what, func(t *testing.T) { requireViolation(t, runFake(t, open, "start/"+what)) })
		}
	}
}

func TestALieIsAViolation(t *testing.T) {
	for _, what := range lies {
		for _, age := range ages {
			scenario := age + what
			t.Run(scenario, func(t *testing.T) { requireViolation(t, runFake(t, spawned, scenario)) })
		}
	}
}

func requireViolation(t *testing.T, err error) {
	t.Helper()
	var violation *ProtocolViolation
	if !errors.As(err, &violation) || !violation.ChildAlive() {
		t.Fatalf("it is told as %v", err)
	}
}

func TestRepliesThatComeByteByByteAreWhole(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			if err := runFake(t, open, "byte-by-byte"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAChildThatHadNothingOfABusyMachineIsWaitedFor(t *testing.T) {
	// Longer than its step and the grace; by the clock it may take ten steps.
	if err := runFake(t, transports["process"], "drain/late"); err != nil {
		t.Fatal(err)
	}
}

func TestTheCPUOfAProcessCanBeReadWhileThereIsOne(t *testing.T) {
	before, known := cpuOf(os.Getpid())
	for now := before; known && now < before+50*time.Millisecond; now, known = cpuOf(os.Getpid()) {
	}
	if _, ofNone := cpuOf(1 << 30); !known || ofNone {
		t.Fatal("it is not known of this process, or it is of one that there is not")
	}
}

func TestASilentChildIsKilled(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			var silent *ChildSilent
			if err := runFake(t, open, "resolve/silent"); !errors.As(err, &silent) {
				t.Fatalf("it is told as %v", err)
			}
		})
	}
}

func TestAChildThatClosesItsStdoutAndLivesOnIsKilled(t *testing.T) {
	err := runFake(t, spawned, "drain/closes-stdout")
	requireViolation(t, err)
	if !strings.Contains(err.Error(), "went on living") {
		t.Fatal(err)
	}
}

func TestTheLastWordsOfAChildAreToldWithoutEscapes(t *testing.T) {
	var died *ChildDied
	if err := runFake(t, spawned, "start/exits-3"); !errors.As(err, &died) || died.Stderr != "the reason" {
		t.Fatalf("it is told as %v", err)
	}
}

func TestACageThatTheKernelDoesNotConfirmGetsNoSource(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("there is no /proc here")
	}
	if difference := whyNotCaged(string(status)); !strings.HasPrefix(difference, "Seccomp is") {
		t.Fatalf("our own cage is off by %q", difference)
	}
	requireViolation(t, requireCage(os.Getpid()))
	requireViolation(t, requireLayers(map[string]Layer{"memory": {Applied: true}}))
}
