package flowcage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// opener is a way to start a command as a child.
type opener func(t *testing.T, command []string) Transport

var transports = map[string]opener{"process": spawned, "socket": served}

func spawned(_ *testing.T, command []string) Transport { return Spawn{command} }

// served puts a command behind a socket: each connection is a fresh child, killed when the connection closes.
func served(t *testing.T, command []string) Transport {
	folder, err := os.MkdirTemp("", "flowcage")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			go func() {
				defer connections.Done()
				bridge(connection, exec.Command(command[0], command[1:]...))
			}()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		connections.Wait()
		_ = os.RemoveAll(folder)
	})
	return Socket(path)
}

func bridge(connection net.Conn, child *exec.Cmd) {
	stdin, _ := child.StdinPipe()
	stdout, _ := child.StdoutPipe()
	if child.Start() != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(stdin, connection)
		_ = stdin.Close()
		time.AfterFunc(200*time.Millisecond, func() { _ = child.Process.Kill() }) // if that does not end it
	}()
	_, _ = io.Copy(connection, stdout)
	_ = connection.Close()
	_ = child.Process.Kill()
	<-done
	_ = child.Wait()
}

func realChild(t *testing.T) []string { return module(t, "flowcage.child") }

// olderChild is what is older than run and advance: the same without them.
func olderChild(t *testing.T) []string {
	python := module(t)[0]
	return []string{python, "-I", "-c", `
from flowcage.child.__main__ import main
from flowcage.protocol.messages import METHODS
from flowcage.protocol.params import PARAMS
METHODS.clear()
for added in ("run", "advance", "replay", "sites", "imports"):
    del PARAMS[added]
main()
`}
}

// bothChildren are driven in the two ways that there are.
var bothChildren = map[string]func(*testing.T) []string{"a child": realChild, "an older child": olderChild}

// module is the command that runs a module of flowcage's Python.
func module(t *testing.T, words ...string) []string {
	python := os.Getenv("FLOWCAGE_PYTHON")
	if python == "" {
		t.Skip("set FLOWCAGE_PYTHON to a Python that has flowcage")
	}
	return append([]string{python, "-I", "-m"}, words...)
}

// requireNoGoroutines: none of this package's own is left, but for those of the test's server. One that has said that
// it is done may take a moment to leave, of which nobody is told.
func requireNoGoroutines(t *testing.T) {
	t.Helper()
	stacks := goroutines()
	for deadline := time.Now().Add(10 * time.Second); isLeft(stacks) && time.Now().Before(deadline); {
		runtime.Gosched()
		stacks = goroutines()
	}
	if isLeft(stacks) {
		t.Fatalf("a goroutine is left:\n%s", stacks)
	}
}

func goroutines() string {
	stacks := make([]byte, 1<<20)
	return string(stacks[:runtime.Stack(stacks, true)])
}

func isLeft(stacks string) bool {
	for _, of := range []string{"(*Child).", "(*answers).", "(*processLink).", "(*session).", "(*events).", "(*HostRun)."} {
		if strings.Contains(stacks, of) {
			return true
		}
	}
	return false
}

func decode(t *testing.T, outcome *Outcome, err error, result any) {
	t.Helper()
	if err == nil {
		err = outcome.Decode(result)
	}
	if err != nil {
		t.Fatal(err)
	}
	requireNoGoroutines(t)
}

func TestAgentsLogsPhasesSleepsAndProgramsAreAnswered(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			budget := NewBudget(100)
			var phases []string
			outcome, err := Run(context.Background(), `
				phase('Ask', { detail: 'two' });
				log('asking', args.length);
				const answers = await parallel(args.map((name) => () => agent('Hello ' + name, { label: name })));
				await SW.extra.sleep(5);
				const program = await SW.sandbox.exec('build', { command: 'make', args: ['test'] });
				const refused = await agent('no').catch((error) => error.message);
				const nobody = await workflow('w').catch((error) => error.message);
				return [...answers, program, refused, nobody, budget.spent()];`,
				Options{
					Transport: open(t, realChild(t)), Args: []string{"Ada", "Łukasz <b>"}, Budget: budget,
					Agent: func(_ context.Context, request Request) (any, error) {
						if *request.Prompt == "no" {
							return nil, Rejection("not today")
						}
						budget.Spend(3)
						return fmt.Sprint(*request.Prompt, request.Options["label"], request.Options["phase"]), nil
					},
					SandboxExec: func(_ context.Context, request Request) (any, error) {
						return *request.Profile + request.Program.Command + request.Program.Args[0], nil
					},
					OnPhase: func(name string, options map[string]any) { phases = append(phases, fmt.Sprint(name, options)) },
				})
			var result []any
			decode(t, outcome, err, &result)
			expected := `[Hello AdaAdaAsk Hello Łukasz <b>Łukasz <b>Ask buildmaketest not today ` +
				`this host answers no workflow requests 6]`
			if fmt.Sprint(result) != expected {
				t.Fatalf("it came to %v", result)
			}
			if fmt.Sprint(phases, outcome.Phases) != "[Askmap[detail:two]] [Ask]" || len(outcome.Logs) != 1 {
				t.Fatalf("phases %v, logs %s", phases, outcome.Logs)
			}
		})
	}
}

func TestTwentyRunsAtOnceDoNotMix(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			transport := open(t, realChild(t))
			var runs sync.WaitGroup
			for number := 0; number < 20; number++ {
				number := number
				runs.Add(1)
				go func() {
					defer runs.Done()
					outcome, err := Run(context.Background(), "return [args, await agent('n'), await agent('m')]", Options{
						Transport: transport, Args: number,
						Agent: func(_ context.Context, request Request) (any, error) {
							return fmt.Sprint(*request.Prompt, number), nil
						},
					})
					if expected := fmt.Sprintf(`[%d,"n%d","m%d"]`, number, number, number); err != nil || string(outcome.Result) != expected {
						t.Errorf("%s instead of %s: %v", outcome.Result, expected, err)
					}
				}()
			}
			runs.Wait()
			requireNoGoroutines(t)
		})
	}
}

func TestBigValuesAndAnyUnicodeCrossUnharmed(t *testing.T) {
	text, big := "\x00\u2028\u0085\r \"\\ é 漢 😀", strings.Repeat("ß😀", 500_000)
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			outcome, err := Run(context.Background(), "return [args, await agent('big'), await agent('big')]", Options{
				Transport: open(t, realChild(t)), Args: text,
				Agent: func(context.Context, Request) (any, error) { return big, nil },
			})
			var result []string
			decode(t, outcome, err, &result)
			if result[0] != text || result[1] != big || result[2] != big {
				t.Fatal("what came back differs")
			}
		})
	}
}

var endless = []string{"await agent('x'); return 1", "for (;;);", "await SW.extra.sleep(1e9); return 1"}

func untilDone(ctx context.Context, _ Request) (any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestADoneContextKillsTheChild(t *testing.T) {
	for name, open := range transports {
		for _, source := range endless {
			t.Run(name+" "+source, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				defer cancel()
				_, err := Run(ctx, source, Options{Transport: open(t, realChild(t)), Agent: untilDone})
				var canceled *Canceled
				if !errors.As(err, &canceled) || !errors.Is(err, context.DeadlineExceeded) {
					t.Fatalf("it is told as %v", err)
				}
				requireNoGoroutines(t)
			})
		}
	}
}

func TestTheRunsOwnTimeoutKillsTheChild(t *testing.T) {
	for name, open := range transports {
		for _, source := range endless {
			t.Run(name+" "+source, func(t *testing.T) {
				options := Options{Transport: open(t, realChild(t)), Agent: untilDone, Timeout: 500 * time.Millisecond}
				_, err := Run(context.Background(), source, options)
				var timedOut *TimedOut
				if !errors.As(err, &timedOut) {
					t.Fatalf("it is told as %v", err)
				}
				requireNoGoroutines(t)
			})
		}
	}
}

func TestTheWorkflowsOwnFailuresAreToldByKind(t *testing.T) {
	for kind, source := range map[string]string{
		"exception": "const f = () => { throw new TypeError('no'); }; f();",
		"syntax":    "return ((",
		"import":    "import 'node:fs'; return 1",
		"timeout":   "for (;;);",
		"stack":     "const f = () => 1 + f(); return f();",
	} {
		t.Run(kind, func(t *testing.T) {
			_, err := Run(context.Background(), source, Options{
				Transport: Spawn{realChild(t)}, Limits: Limits{StepTimeoutMs: 1000},
			})
			var failed *WorkflowFailed
			if !errors.As(err, &failed) || failed.Kind != kind || !failed.ChildAlive() {
				t.Fatalf("it is told as %v", err)
			}
			if kind == "exception" && !strings.Contains(failed.Stack, "workflow.js:1:") {
				t.Fatalf("the stack is %q", failed.Stack)
			}
		})
	}
	var stalled *WorkflowStalled
	if _, err := Run(context.Background(), "await new Promise(() => {})", Options{Transport: Spawn{realChild(t)}}); !errors.As(err, &stalled) {
		t.Fatalf("it is told as %v", err)
	}
}

func TestWhatCannotBeSentRejectsItsRequestAndNothingElse(t *testing.T) {
	for what, value := range map[string]any{
		"a channel": make(chan int), "too long": strings.Repeat("x", 9<<20),
		"too deep": json.RawMessage(strings.Repeat("[", 600) + strings.Repeat("]", 600)),
	} {
		t.Run(what, func(t *testing.T) {
			options := Options{Transport: Spawn{realChild(t)}, Agent: func(context.Context, Request) (any, error) { return value, nil }}
			outcome, err := Run(context.Background(), "return await agent('a').catch((error) => error.message)", options)
			var result string
			decode(t, outcome, err, &result)
			if !strings.HasPrefix(result, "the host's answer cannot be sent: ") {
				t.Fatalf("the workflow saw %q", result)
			}
			options.Args = value
			_, err = Run(context.Background(), "return 1", options)
			var cannotSend *CannotSend
			if !errors.As(err, &cannotSend) {
				t.Fatalf("it is told as %v", err)
			}
		})
	}
}

func TestAnswersReachTheirCallsWhicheverWayTheyAreSent(t *testing.T) {
	for name, command := range bothChildren {
		t.Run(name, func(t *testing.T) {
			agent := func(_ context.Context, request Request) (any, error) {
				switch *request.Prompt {
				case "no JSON":
					return make(chan int), nil
				case "long":
					return strings.Repeat("x", 20_000), nil
				}
				return strings.ToUpper(*request.Prompt), nil
			}
			source := `
				const all = await parallel(['a', 'b', 'c'].map((n) => () => agent(n)));
				const long = await parallel(Array.from({ length: 9 }, () => () => agent('long')));
				const failed = await parallel(['x', 'no JSON', 'y'].map((n) => () => agent(n)));
				return [all, long.map((a) => a.length), failed, await agent('last')];`
			options := Options{Transport: Spawn{command(t)}, Agent: agent, Limits: Limits{MaxMessageBytes: 50_000}}
			outcome, err := Run(context.Background(), source, options)
			var result []any
			decode(t, outcome, err, &result)
			expected := "[[A B C] [20000 20000 20000 20000 20000 20000 20000 20000 20000] [X <nil> Y] LAST]"
			if fmt.Sprint(result) != expected {
				t.Fatalf("it came to %v", result)
			}
			requireNoGoroutines(t)
		})
	}
}

func TestFailuresAreToldWhicheverWayTheChildIsDriven(t *testing.T) {
	for name, command := range bothChildren {
		for source, kind := range map[string]string{
			"return 1 +;": "syntax", "throw new Error('at once')": "exception",
			"log(1); throw new Error('after a call')":        "exception",
			"log(await agent('a')); throw new Error('late')": "exception",
		} {
			t.Run(name+" "+source, func(t *testing.T) {
				agent := func(context.Context, Request) (any, error) { return 1, nil }
				outcome, err := Run(context.Background(), source, Options{Transport: Spawn{command(t)}, Agent: agent})
				var failed *WorkflowFailed
				if !errors.As(err, &failed) || failed.Kind != kind || len(outcome.Logs) != strings.Count(source, "log") {
					t.Fatalf("it is told as %v, after %v", err, outcome.Logs)
				}
			})
		}
	}
}

func TestAChildThatHasRunAndAdvanceIsSentHalfOfTheMessages(t *testing.T) {
	for name, expected := range map[string]int{"a child": 2 * 3, "an older child": 2 * 5} {
		agent := func(context.Context, Request) (any, error) { return 1, nil }
		options := Options{Transport: Spawn{bothChildren[name](t)}, Agent: agent}
		outcome, err := Run(context.Background(), "return await agent('a')", options)
		if err != nil || outcome.Usage.Messages != expected {
			t.Fatalf("%s: %v, after %d messages", name, err, outcome.Usage.Messages)
		}
	}
}

func TestByHandAChildIsRunAndAdvanced(t *testing.T) {
	child, err := Open(context.Background(), Spawn{realChild(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	initialized, err := child.Initialize(Limits{}, "")
	if err != nil || !initialized.Has("run") || initialized.Has("walk") {
		t.Fatal(initialized, err)
	}
	first, err := child.Run(Start{Source: "return [await agent('a'), await agent('b')]"})
	if err != nil || len(*first.Requests) != 1 {
		t.Fatal(first, err)
	}
	ok := func(id string) []Settlement { return []Settlement{{id, Resolution{Type: "ok", Value: id}}} }
	last, err := child.Advance(ok("1"), ok("2"))
	if err != nil || string(last.Output.Result) != `["1","2"]` {
		t.Fatal(last, err)
	}
	var refused *RunRefused
	if _, err := child.Advance(ok("3")); !errors.As(err, &refused) || refused.Kind != "unknown_request" {
		t.Fatalf("it is told as %v", err)
	}
}

func TestModulesComeWithTheSourceAndAnOlderChildIsRefused(t *testing.T) {
	source := "import { limit } from '../lib/rules.mjs';\nreturn limit();"
	for name, child := range bothChildren {
		options := Options{
			Transport:  Spawn{Command: child(t)},
			SourceName: "flows/w.js",
			Modules:    map[string]string{"lib/rules.mjs": "export const limit = () => agent('limit');"},
			Agent:      func(_ context.Context, asked Request) (any, error) { return len(*asked.Prompt), nil },
		}
		if name == "an older child" {
			options.Isolation = "none"
			var refused *RunRefused
			if _, err := Run(context.Background(), source, options); !errors.As(err, &refused) {
				t.Fatal(err)
			}
			continue
		}
		outcome, err := Run(context.Background(), source, options)
		if err != nil || string(outcome.Result) != "5" {
			t.Fatal(outcome, err)
		}
	}
}

func TestByHandAChildReplaysAndTellsSites(t *testing.T) {
	child, err := Open(context.Background(), Spawn{realChild(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	if initialized, err := child.Initialize(Limits{}, ""); err != nil || !initialized.Has("replay") {
		t.Fatal(initialized, err)
	}
	if _, err := child.Run(Start{Source: "await agent('a'); await agent('b');\nreturn await agent('c')"}); err != nil {
		t.Fatal(err)
	}
	ok := func(id string) []Settlement { return []Settlement{{id, Resolution{Type: "ok", Value: id}}} }
	replayed, err := child.Replay(ok("1"), ok("2"))
	if err != nil || len(*replayed.Requests) != 2 || len(replayed.Counts) != 2 || replayed.Counts[1] != 1 {
		t.Fatal(replayed, err)
	}
	sites, err := child.Sites()
	if err != nil || len(sites) != 1 || sites[0].ID != "3" || sites[0].Line != 2 {
		t.Fatal(sites, err)
	}
	last, err := child.Replay(ok("3"))
	if err != nil || string(last.Output.Result) != `"3"` {
		t.Fatal(last, err)
	}
}

func TestAHandlerThatFailsEndsTheRunAsItsCause(t *testing.T) {
	cause := errors.New("oops")
	_, err := Run(context.Background(), "return await agent('a')", Options{
		Transport: Spawn{realChild(t)}, Agent: func(context.Context, Request) (any, error) { return nil, cause },
	})
	var failed *HandlerFailed
	if !errors.As(err, &failed) || !errors.Is(err, cause) {
		t.Fatalf("it is told as %v", err)
	}
}

func TestAHandlerThatEndsItsGoroutineHasFailed(t *testing.T) {
	_, err := Run(context.Background(), "return await agent('a')", Options{
		Transport: Spawn{realChild(t)}, Agent: func(context.Context, Request) (any, error) {
			runtime.Goexit() // as t.Fatal does
			return nil, nil
		},
	})
	var failed *HandlerFailed
	if !errors.As(err, &failed) || !errors.Is(err, errNoReturn) {
		t.Fatalf("it is told as %v", err)
	}
}

func TestARelativeCommandIsFoundFromHere(t *testing.T) {
	command := realChild(t)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if command[0], err = filepath.Rel(here, command[0]); err != nil {
		t.Fatal(err)
	}
	var result int
	outcome, err := Run(context.Background(), "return 1", Options{Transport: Spawn{command}})
	decode(t, outcome, err, &result)
}

func TestALaunchThatFailsIsTold(t *testing.T) {
	for _, transport := range []Transport{Spawn{[]string{"/no/such/program"}}, Socket("/no/such/socket")} {
		_, err := Run(context.Background(), "return 1", Options{Transport: transport})
		var failed *LaunchFailed
		if !errors.As(err, &failed) || failed.ChildAlive() {
			t.Fatalf("it is told as %v", err)
		}
	}
}

func TestTheRealChildKilledAtAnyStepIsToldOf(t *testing.T) {
	for killAt := 0; killAt < 4; killAt++ {
		t.Run(fmt.Sprint(killAt), func(t *testing.T) {
			child, err := Open(context.Background(), Spawn{realChild(t)})
			if err != nil {
				t.Fatal(err)
			}
			defer requireNoGoroutines(t)
			defer child.Close()
			steps := []func() error{
				func() error { _, err := child.Initialize(Limits{}, ""); return err },
				func() error { return child.Start(Start{Source: "await agent('x'); return 1"}) },
				func() error { _, err := child.Drain(); return err },
				func() error { return child.Resolve("1", Resolution{Type: "ok"}) },
			}
			for _, step := range steps[:killAt] {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			_ = syscall.Kill(child.link.Pid(), syscall.SIGKILL)
			<-child.Failed()
			var died *ChildDied
			if err := steps[killAt](); !errors.As(err, &died) || died.Signal != "killed" {
				t.Fatalf("it is told as %v", err)
			}
		})
	}
}

// ---- the shipped examples, their agents answered here

func example(t *testing.T, name string) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func TestTheExampleReviewRuns(t *testing.T) {
	agent := func(_ context.Context, request Request) (any, error) {
		schema, _ := json.Marshal(request.Options["schema"])
		switch {
		case bytes.Contains(schema, []byte(`"findings"`)):
			finding := map[string]any{"file": "a.js", "line": 1, "problem": request.Options["label"]}
			return map[string]any{"findings": []any{finding}}, nil
		case bytes.Contains(schema, []byte(`"real"`)):
			return map[string]any{"real": true}, nil
		}
		return "All is well.", nil
	}
	outcome, err := Run(context.Background(), example(t, "review.js"), Options{Transport: Spawn{realChild(t)}, Agent: agent})
	var result struct {
		Real    int
		Summary string
	}
	decode(t, outcome, err, &result)
	if result.Real != 3 || result.Summary != "All is well." {
		t.Fatalf("it came to %+v", result)
	}
}

func TestTheExampleResearchKeepsToItsBudget(t *testing.T) {
	budget := NewBudget(60)
	agent := func(context.Context, Request) (any, error) { budget.Spend(10); return "note", nil }
	outcome, err := Run(context.Background(), example(t, "research.js"), Options{
		Transport: Spawn{realChild(t)}, Agent: agent, Budget: budget,
	})
	var result struct{ Notes, Spent int }
	decode(t, outcome, err, &result)
	if result.Notes != 6 || result.Spent != 70 {
		t.Fatalf("it came to %+v", result)
	}
}

func TestTheExampleParentRunsItsChildWorkflows(t *testing.T) {
	options := Options{Transport: Spawn{realChild(t)}, Agent: func(_ context.Context, request Request) (any, error) {
		if request.Options["schema"] != nil {
			return map[string]bool{"pass": true}, nil
		}
		return "text", nil
	}}
	parent := options
	parent.Workflow = func(ctx context.Context, request Request) (any, error) {
		child := options
		child.Args = request.Args
		outcome, err := Run(ctx, example(t, request.Ref.ScriptPath), child)
		return outcome.Result, err
	}
	outcome, err := Run(context.Background(), example(t, "parent.js"), parent)
	var result struct {
		Chapters []struct {
			Chapter string
			Pass    bool
		}
	}
	decode(t, outcome, err, &result)
	if fmt.Sprint(result.Chapters) != "[{Beginnings true} {Storms true} {Harbour true}]" {
		t.Fatalf("it came to %+v", result)
	}
}

func TestTheProgramsOfTheReadmeRun(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(readme, -1)
	expected := regexp.MustCompile("(?s)```text\n(.*?)```").FindAllSubmatch(readme, -1)
	if len(programs) != 2 || len(expected) != 2 {
		t.Fatal(len(programs), len(expected))
	}
	for number := range programs {
		if said, err := runProgram(t, programs[number][1]); err != nil || !bytes.Equal(said, expected[number][1]) {
			t.Errorf("%v: %s", err, said)
		}
	}
}

func runProgram(t *testing.T, program []byte) ([]byte, error) {
	here, _ := os.Getwd()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"main.go": string(program),
		"go.mod":  "module readme\ngo 1.19\nrequire flowcage.dev/flowcage v0.0.0\nreplace flowcage.dev/flowcage => " + here + "\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("go", "run", ".")
	command.Dir = folder
	// The commands of flowcage lie beside the interpreter that it was installed with. No store of the user's is touched.
	path := filepath.Dir(realChild(t)[0]) + ":" + os.Getenv("PATH")
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "PATH="+path, "XDG_STATE_HOME="+folder)
	return command.CombinedOutput()
}
