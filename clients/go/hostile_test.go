package flowcage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A child that keeps to the contract but for one thing: this very program, as `hostile WHAT STEP`.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "hostile" {
		hostile(os.Args[2], os.Args[3])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const (
	agentRequest = `{"type":"agent","id":"1","prompt":"hello?"}`
	drainedOne   = `{"calls":[],"requests":[` + agentRequest + `],"state":"pending","later":1}`
)

var results = map[string]string{
	"initialize": `{"protocolVersion":"1.0","limits":{},"isolation":{},"maxMessageBytes":8388608}`,
	"start":      `{}`,
	"drain":      drainedOne,
	"resolve":    `{}`,
	"again":      `{"calls":[],"requests":[],"state":"complete","output":{"result":"done"}}`,
}

// What a hostile child answers instead, by what is wrong with it, as method and result.
var lies = map[string][2]string{
	"another version":         {"initialize", strings.Replace(results["initialize"], "1.0", "9.9", 1)},
	"longer lines":            {"initialize", strings.Replace(results["initialize"], "8388608", "1099511627776", 1)},
	"one id twice":            {"drain", `{"calls":[],"requests":[` + agentRequest + `,` + agentRequest + `],"state":"pending"}`},
	"a request of null":       {"drain", `{"calls":[],"requests":[null],"state":"pending"}`},
	"a request without id":    {"drain", `{"calls":[],"requests":[{"type":"agent","prompt":""}],"state":"pending"}`},
	"a sleep of minus one":    {"drain", `{"calls":[],"requests":[{"type":"sleep","id":"1","durationMs":-1}],"state":"pending"}`},
	"no calls":                {"drain", `{"requests":[],"state":"pending"}`},
	"complete without output": {"drain", `{"calls":[],"requests":[],"state":"complete"}`},
	"another state":           {"drain", `{"calls":[],"requests":[],"state":"asleep"}`},
	"an unknown call":         {"drain", `{"calls":[{"type":"toString"}],"requests":[` + agentRequest + `],"state":"pending"}`},
	"an unknown request":      {"drain", `{"calls":[],"requests":[{"type":"toString","id":"1"}],"state":"pending"}`},
	"null as result":          {"drain", `null`},
}

// What it writes instead of an answer; %d is the id.
var noises = map[string]string{
	"noise":                    "hello there\n",
	"a wrong id":               `{"jsonrpc":"2.0","id":77,"result":{}}` + "\n",
	"an id as text":            `{"jsonrpc":"2.0","id":"%d","result":{}}` + "\n",
	"null as id":               `{"jsonrpc":"2.0","id":null,"result":{}}` + "\n",
	"another case":             `{"jsonrpc":"2.0","ID":%d,"RESULT":{}}` + "\n",
	"another jsonrpc":          `{"jsonrpc":"1.0","id":%d,"result":{}}` + "\n",
	"result and error":         `{"jsonrpc":"2.0","id":%d,"result":{},"error":{"code":1,"message":"","data":{"kind":"x"}}}` + "\n",
	"neither result nor error": `{"jsonrpc":"2.0","id":%d}` + "\n",
	"an error without a kind":  `{"jsonrpc":"2.0","id":%d,"error":{"code":1,"message":""}}` + "\n",
	"a batch":                  `[{"jsonrpc":"2.0","id":%d,"result":{}}]` + "\n",
	"no UTF-8":                 `{"jsonrpc":"2.0","id":%d,"result":{"x":"` + "\xff\"}}\n",
	"a byte-order mark":        "\ufeff" + `{"jsonrpc":"2.0","id":%d,"result":{}}` + "\n",
	"a number too large":       `{"jsonrpc":"2.0","id":%d,"result":{"later":[-1e999]}}` + "\n",
	"too deep":                 `{"jsonrpc":"2.0","id":%d,"result":{"x":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + "}}\n",
	"too many values":          `{"jsonrpc":"2.0","id":%d,"result":{"x":[` + strings.Repeat("[],", 1_100_000) + "0]}}\n",
	"no newline":               strings.Repeat("x", 9<<20),
}

func hostile(what, step string) {
	deed(what, step, "begin", 0)
	lines := bufio.NewScanner(os.Stdin)
	drains := 0
	for lines.Scan() {
		var asked struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
		}
		_ = json.Unmarshal(lines.Bytes(), &asked)
		method := asked.Method
		if method == "drain" {
			if drains++; drains > 1 {
				method = "again"
			}
		}
		deed(what, step, method, asked.ID)
		if _, ok := noises[what]; ok && what != "noise" && step == method {
			continue // it was instead of the answer
		}
		result := results[method]
		if lie, ok := lies[what]; ok && lie[0] == method {
			result = lie[1]
		}
		reply := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":%s}`+"\n", asked.ID, result)
		if what == "byte by byte" {
			for _, b := range []byte(reply) {
				_, _ = os.Stdout.Write([]byte{b})
			}
			continue
		}
		_, _ = os.Stdout.WriteString(reply)
		if method == "drain" {
			deed(what, step, "waiting", asked.ID)
		}
	}
}

func deed(what, step, now string, id int) {
	if step != now {
		return
	}
	switch what {
	case "SIGKILL":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Minute)
	case "exit":
		os.Exit(3)
	case "half":
		_, _ = os.Stdout.WriteString(`{"jsonrpc":"2.0",`)
		os.Exit(0)
	case "complain":
		_, _ = os.Stderr.WriteString("\x1b[31mout of luck\x1b[0m")
		os.Exit(1)
	case "silent":
		time.Sleep(time.Minute)
	case "close stdout":
		_ = os.Stdout.Close()
		time.Sleep(time.Minute)
	default:
		if text, ok := noises[what]; ok {
			_, _ = os.Stdout.WriteString(strings.Replace(text, "%d", fmt.Sprint(id), 1))
		}
	}
}

func runHostile(t *testing.T, open opener, what, step string) error {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	transport := open(t, []string{own, "hostile", what, step})
	options := Options{
		Transport: transport, Isolation: "none", Limits: Limits{StepTimeoutMs: 1500}, AnswerGrace: time.Second,
		Agent: func(ctx context.Context, _ Request) (any, error) {
			if step == "waiting" {
				<-ctx.Done()
			}
			return "hi", nil
		},
	}
	outcome, err := Run(context.Background(), "unused", options)
	if err == nil && string(outcome.Result) != `"done"` {
		t.Fatalf("it came to %s", outcome.Result)
	}
	requireNoGoroutines(t)
	return err
}

func TestADyingChildIsToldOfAtEveryStep(t *testing.T) {
	for name, open := range transports {
		for _, step := range []string{"begin", "initialize", "start", "drain", "waiting", "resolve", "again"} {
			for how, expected := range map[string]Ended{
				"SIGKILL": {Signal: "killed", ExitCode: -1}, "exit": {ExitCode: 3}, "half": {ExitCode: 0},
			} {
				t.Run(name+" "+step+" "+how, func(t *testing.T) {
					var died *ChildDied
					if err := runHostile(t, open, how, step); !errors.As(err, &died) || died.ChildAlive() {
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

func TestNoiseIsAViolationAtEveryStep(t *testing.T) {
	for name, open := range transports {
		for _, step := range []string{"begin", "initialize", "start", "drain", "waiting", "resolve", "again"} {
			t.Run(name+" "+step, func(t *testing.T) { requireViolation(t, runHostile(t, open, "noise", step)) })
		}
		for what := range noises {
			t.Run(name+" "+what, func(t *testing.T) { requireViolation(t, runHostile(t, open, what, "start")) })
		}
	}
}

func TestALieIsAViolation(t *testing.T) {
	for what := range lies {
		t.Run(what, func(t *testing.T) { requireViolation(t, runHostile(t, spawned, what, "none")) })
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
			if err := runHostile(t, open, "byte by byte", ""); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestASilentChildIsKilled(t *testing.T) {
	for name, open := range transports {
		t.Run(name, func(t *testing.T) {
			var silent *ChildSilent
			if err := runHostile(t, open, "silent", "resolve"); !errors.As(err, &silent) {
				t.Fatalf("it is told as %v", err)
			}
		})
	}
}

func TestAChildThatClosesItsStdoutAndLivesOnIsKilled(t *testing.T) {
	err := runHostile(t, spawned, "close stdout", "drain")
	requireViolation(t, err)
	if !strings.Contains(err.Error(), "went on living") {
		t.Fatal(err)
	}
}

func TestTheLastWordsOfAChildAreToldWithoutEscapes(t *testing.T) {
	var died *ChildDied
	if err := runHostile(t, spawned, "complain", "start"); !errors.As(err, &died) || died.Stderr != "out of luck" {
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
