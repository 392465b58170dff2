package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const casesFolder = "../../tests/clients/cases"

// testCase is one of tests/clients/cases, or the resume of one; README.md there says what the members mean.
type testCase struct {
	Name        string          `json:"name"`
	Source      []string        `json:"source"`
	Args        json.RawMessage `json:"args"`
	SourceName  string          `json:"sourceName"`
	Metadata    map[string]any  `json:"metadata"`
	Limits      json.RawMessage `json:"limits"`
	Options     json.RawMessage `json:"options"`
	Store       bool            `json:"store"`
	Agent       []rule          `json:"agent"`
	Workflow    []rule          `json:"workflow"`
	SandboxExec []rule          `json:"sandboxExec"`
	Ask         []rule          `json:"ask"`
	Answers     []outsideAnswer `json:"answers"`
	Expect      expected        `json:"expect"`
	Resume      *testCase       `json:"resume"`
	Even        bool            `json:"evenIfCancelled"`
}

type outsideAnswer struct {
	QuestionID string  `json:"questionId"`
	Value      any     `json:"value"`
	Rejects    *string `json:"rejects"`
}

type rule struct {
	Prompt   *string `json:"prompt"`
	Attempt  *int    `json:"attempt"`
	Again    *bool   `json:"again"`
	Held     *bool   `json:"held"`
	Ref      *string `json:"ref"`
	Profile  *string `json:"profile"`
	Question *string `json:"question"`

	Value      any               `json:"value"`
	Usage      *TokenUsage       `json:"usage"`
	CostUsd    *float64          `json:"costUsd"`
	Model      string            `json:"model"`
	SessionID  string            `json:"sessionId"`
	Source     []string          `json:"source"`
	SourceName string            `json:"sourceName"`
	Modules    map[string]string `json:"modules"`
	Fails      *struct {
		Kind        string   `json:"kind"`
		Message     string   `json:"message"`
		Text        string   `json:"text"`
		NeedsUsd    *float64 `json:"needsUsd"`
		NeedsTokens *int64   `json:"needsTokens"`
	} `json:"fails"`
	Rejects    *string    `json:"rejects"`
	Never      bool       `json:"never"`
	Cancels    bool       `json:"cancels"`
	Progress   []Progress `json:"progress"`
	WhenAtWork int        `json:"whenAtWork"`
}

type expected struct {
	Refused     *string          `json:"refused"`
	Verdict     string           `json:"verdict"`
	Result      json.RawMessage  `json:"result"`
	Error       map[string]any   `json:"error"`
	Census      map[string]any   `json:"census"`
	Usage       map[string]any   `json:"usage"`
	Phases      *[]string        `json:"phases"`
	Diagnostics *[]string        `json:"diagnostics"`
	Asked       *[]string        `json:"asked"`
	Problem     string           `json:"problem"`
	Cancelled   *int             `json:"cancelled"`
	MostAtWork  *int             `json:"mostAtWork"`
	Events      []map[string]any `json:"events"`
}

func TestTheHostDoesWhatTheCasesOfEveryLanguageExpect(t *testing.T) {
	files, _ := filepath.Glob(casesFolder + "/*.json")
	if len(files) == 0 {
		t.Skip("the cases are in the repository, not here")
	}
	sockets := map[bool]string{false: hostSocket(t, "--no-store"), true: hostSocket(t, "--store", t.TempDir()+"/runs.db")}
	for _, file := range files {
		text, err := os.ReadFile(file)
		var read struct {
			About string      `json:"about"`
			Cases []*testCase `json:"cases"`
		}
		if err == nil && !isTyped(text, &read) {
			err = errors.New("a case has a member that this driver does not know")
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for number, each := range read.Cases {
			each, stem := each, strings.TrimSuffix(filepath.Base(file), ".json")
			id := fmt.Sprintf("%s-%d", stem, number)
			t.Run(stem+": "+each.Name, func(t *testing.T) { each.goThrough(t, sockets[each.Store], id) })
		}
	}
}

func TestAMemberThatThisDriverDoesNotKnowIsRefused(t *testing.T) {
	for _, wrong := range []string{
		`{"agents": []}`, `{"expect": {"results": 1}}`, `{"agent": [{"waits": true}]}`, `{"agent": [{"fails": {"code": 1}}]}`,
		`{"ask": [{"usage": {"inputs": 1}}]}`, `{"answers": [{"id": "1"}]}`, `{"agent": [{"progress": [{"value": 1}]}]}`,
		`{"resume": {"agents": []}}`,
	} {
		if isTyped(json.RawMessage(wrong), new(testCase)) {
			t.Error(wrong)
		}
	}
}

func (c *testCase) goThrough(t *testing.T, socket, runID string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c.live(ctx, t, socket, runID, func(host *Host, heard Heard) (*HostRun, error) {
		workflow := Workflow{
			Source: strings.Join(c.Source, "\n"), SourceName: c.SourceName, RunID: runID, Metadata: c.Metadata, Heard: heard,
		}
		if c.Args != nil {
			workflow.Args = c.Args
		}
		if isTyped(c.Limits, &workflow.Limits) && isTyped(c.Options, &workflow.Options) {
			return host.Start(ctx, workflow)
		}
		// What these types cannot say is refused where it is said all the same.
		params := map[string]any{"source": workflow.Source, "runId": runID}
		for name, value := range map[string]json.RawMessage{"limits": c.Limits, "options": c.Options} {
			if value != nil {
				params[name] = value
			}
		}
		return nil, host.Call(ctx, "run.start", params, nil)
	})
	if c.Resume != nil {
		c.Resume.live(ctx, t, socket, runID, func(host *Host, heard Heard) (*HostRun, error) {
			return host.Resume(ctx, Resume{RunID: runID, EvenIfCancelled: c.Resume.Even, Heard: heard})
		})
	}
}

func isTyped(text json.RawMessage, value any) bool {
	if text == nil {
		return true
	}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(value) == nil
}

// live has a run begin and end, and compares what came of it.
func (c *testCase) live(
	ctx context.Context, t *testing.T, socket, runID string, begin func(*Host, Heard) (*HostRun, error),
) {
	player := newPlayer(c, runID)
	host, err := OpenHost(ctx, HostOptions{Socket: socket, Handlers: player.handlers()})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	player.host = host
	run, err := begin(host, Heard{OnEvent: player.hear})
	if c.Expect.Refused != nil {
		refused, ok := err.(*HostRefused)
		if !ok || !strings.Contains(refused.Message+string(refused.Data), *c.Expect.Refused) {
			t.Fatalf("it is not refused by %q: %v", *c.Expect.Refused, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := run.Wait(ctx)
	if outcome == nil {
		t.Fatal(err)
	}
	if _, isFailed := err.(*RunFailed); isFailed == (outcome.Verdict == "completed") {
		t.Errorf("%s: %v", outcome.Verdict, err)
	}
	player.close()
	host.Close() // a handler may still have to hear that it was cancelled
	c.Expect.compare(t, outcome, player)
}

func (e *expected) compare(t *testing.T, outcome *RunOutcome, player *player) {
	t.Helper()
	if outcome.Verdict != e.Verdict {
		t.Fatalf("it ended as %s: %s", outcome.Verdict, outcome.Raw)
	}
	var told map[string]any
	_ = json.Unmarshal(outcome.Raw, &told)
	requireMembers(t, "error", told["error"], e.Error)
	requireMembers(t, "census", told["census"], e.Census)
	requireMembers(t, "usage", told["usage"], e.Usage)
	if e.Result != nil {
		requireEqual(t, "result", outcome.Result, e.Result)
	}
	phases, diagnostics := []string{}, []string{}
	for _, phase := range outcome.Phases {
		phases = append(phases, phase.Title)
	}
	for _, note := range outcome.Diagnostics {
		diagnostics = append(diagnostics, note.Kind)
	}
	requireIfSaid(t, "phases", phases, e.Phases)
	requireIfSaid(t, "diagnostics", diagnostics, e.Diagnostics)
	requireIfSaid(t, "asked", player.asked, e.Asked)
	requireIfSaid(t, "cancelled", player.cancelled, e.Cancelled)
	requireIfSaid(t, "mostAtWork", player.mostAtWork, e.MostAtWork)
	if !strings.Contains(player.problem, e.Problem) {
		t.Errorf("the problem is %q", player.problem)
	}
	e.compareEvents(t, player.heard)
}

func (e *expected) compareEvents(t *testing.T, heard []map[string]any) {
	t.Helper()
	types, came, wanted := map[any]bool{}, []any{}, []any{}
	for _, each := range e.Events {
		types[each["type"]] = true
		wanted = append(wanted, each["type"])
	}
	var chosen []map[string]any
	for _, event := range heard {
		if types[event["type"]] {
			chosen = append(chosen, event)
			came = append(came, event["type"])
		}
	}
	if !reflect.DeepEqual(came, wanted) {
		t.Fatalf("the events are %v in place of %v", came, wanted)
	}
	for number, each := range e.Events {
		requireMembers(t, fmt.Sprintf("event %d", number), chosen[number], each)
	}
}

func requireMembers(t *testing.T, of string, told any, wanted map[string]any) {
	t.Helper()
	members, _ := told.(map[string]any)
	for name, value := range wanted {
		requireEqual(t, of+"."+name, members[name], value)
	}
}

func requireIfSaid[T any](t *testing.T, of string, told T, wanted *T) {
	t.Helper()
	if wanted != nil && !reflect.DeepEqual(told, *wanted) {
		t.Errorf("%s is %v in place of %v", of, told, *wanted)
	}
}

// requireEqual compares what JSON makes of both.
func requireEqual(t *testing.T, of string, told, wanted any) {
	t.Helper()
	texts := [2]string{}
	for number, value := range []any{told, wanted} {
		var plain any
		text, _ := encode(value)
		_ = json.Unmarshal(text, &plain)
		text, _ = encode(plain)
		texts[number] = string(text)
	}
	if texts[0] != texts[1] {
		t.Errorf("%s is %s in place of %s", of, texts[0], texts[1])
	}
}
