package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// player answers the requests of one case by its rules, and counts what comes.
type player struct {
	test    *testCase
	runID   string
	host    *Host
	outside sync.WaitGroup

	mutex      sync.Mutex
	came       *sync.Cond
	atWork     int
	mostAtWork int
	cancelled  int
	asked      []string
	problem    string
	heard      []map[string]any
}

func newPlayer(test *testCase, runID string) *player {
	p := &player{test: test, runID: runID, asked: []string{}}
	p.came = sync.NewCond(&p.mutex)
	return p
}

// close waits for what was begun outside of handlers.
func (p *player) close() { p.outside.Wait() }

func (p *player) handlers() Handlers {
	var handlers Handlers
	if p.test.Agent != nil {
		handlers.Agent = p.agent
	}
	if p.test.Workflow != nil {
		handlers.Workflow = p.workflow
	}
	if p.test.SandboxExec != nil {
		handlers.SandboxExec = func(ctx context.Context, call *SandboxCall) (any, error) {
			return p.play(ctx, p.test.SandboxExec, rule{Profile: &call.Profile})
		}
	}
	if p.test.Ask != nil {
		handlers.Ask = func(ctx context.Context, question *Question) (any, error) {
			return p.play(ctx, p.test.Ask, rule{Question: &question.Question})
		}
	}
	return handlers
}

func (p *player) hear(event Event) {
	var members map[string]any
	_ = json.Unmarshal(event.Raw, &members)
	p.heard = append(p.heard, members)
	if event.Type != "question_asked" {
		return
	}
	for _, answer := range p.test.Answers {
		if answer.QuestionID == members["questionId"] {
			p.outside.Add(1)
			go p.answerFromOutside(answer)
		}
	}
}

func (p *player) answerFromOutside(answer outsideAnswer) {
	defer p.outside.Done()
	if answer.Rejects != nil {
		_ = p.host.Reject(context.Background(), p.runID, answer.QuestionID, *answer.Rejects)
	} else {
		_ = p.host.Answer(context.Background(), p.runID, answer.QuestionID, answer.Value)
	}
}

func (p *player) agent(ctx context.Context, call *AgentCall) (*AgentAnswer, error) {
	again, words := call.Problem != nil, fmt.Sprintf("%s #%d", call.Prompt, call.Attempt)
	p.mutex.Lock()
	if again {
		words, p.problem = words+" again", *call.Problem
	}
	p.asked = append(p.asked, words)
	p.mutex.Unlock()
	found, err := fitting(p.test.Agent, rule{Prompt: &call.Prompt, Attempt: &call.Attempt, Again: &again, Held: &call.IsHeld})
	if err != nil {
		return nil, err
	}
	for _, told := range found.Progress {
		_ = call.Progress(ctx, told)
	}
	if err := p.work(ctx, found); err != nil {
		return nil, err
	}
	spent := Spent{Usage: found.Usage, CostUsd: found.CostUsd, Model: found.Model}
	if found.Fails != nil && found.Fails.Kind == "fault" {
		return nil, errors.New(found.Fails.Message)
	}
	if found.Fails != nil {
		return nil, &AgentFailure{
			Kind: found.Fails.Kind, Message: found.Fails.Message, Spent: spent,
			Text: found.Fails.Text, NeedsUsd: found.Fails.NeedsUsd, NeedsTokens: found.Fails.NeedsTokens,
		}
	}
	return &AgentAnswer{Value: found.Value, Spent: spent, SessionID: found.SessionID}, nil
}

func (p *player) workflow(ctx context.Context, call *WorkflowCall) (*ChildWorkflow, error) {
	ref := call.Ref.Name + call.Ref.ScriptPath
	found, err := fitting(p.test.Workflow, rule{Ref: &ref})
	if err == nil {
		err = p.work(ctx, found)
	}
	if err != nil {
		return nil, err
	}
	name := found.SourceName
	if name == "" {
		name = ref
	}
	return &ChildWorkflow{Source: strings.Join(found.Source, "\n"), SourceName: name, Modules: found.Modules}, nil
}

func (p *player) play(ctx context.Context, rules []rule, asked rule) (any, error) {
	found, err := fitting(rules, asked)
	if err == nil {
		err = p.work(ctx, found)
	}
	if err != nil {
		return nil, err
	}
	return found.Value, nil
}

// work is what every rule does before it answers.
func (p *player) work(ctx context.Context, found *rule) error {
	p.mutex.Lock()
	p.atWork++
	if p.atWork > p.mostAtWork {
		p.mostAtWork = p.atWork
	}
	p.came.Broadcast()
	for p.mostAtWork < found.WhenAtWork {
		p.came.Wait()
	}
	p.mutex.Unlock()
	if found.Cancels {
		_ = p.host.Cancel(context.Background(), p.runID, "enough")
	}
	if found.Cancels || found.Never {
		<-ctx.Done()
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.atWork--
	if ctx.Err() != nil {
		p.cancelled++
		return ctx.Err()
	}
	if found.Rejects != nil {
		return Rejection(*found.Rejects)
	}
	return nil
}

// fitting is the first rule that fits what is asked.
func fitting(rules []rule, asked rule) (*rule, error) {
	for number := range rules {
		r := &rules[number]
		if fits(r.Prompt, asked.Prompt) && fits(r.Attempt, asked.Attempt) && fits(r.Again, asked.Again) && fits(r.Held, asked.Held) &&
			fits(r.Ref, asked.Ref) && fits(r.Profile, asked.Profile) && fits(r.Question, asked.Question) {
			return r, nil
		}
	}
	return nil, errors.New("no rule of the case answers")
}

func fits[T comparable](wanted, asked *T) bool { return wanted == nil || *wanted == *asked }

// flowcageHost is the command of a host of this environment.
func flowcageHost(t *testing.T, words ...string) []string {
	python := module(t)[0]
	program := "from flowcage.host.cli.entry import main; main()"
	return append([]string{python, "-I", "-c", program, "host"}, words...)
}

// hostSocket is the path of a host that many clients may have.
func hostSocket(t *testing.T, words ...string) string {
	folder, err := os.MkdirTemp("", "flowcage") // t.TempDir may be too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "socket")
	command := flowcageHost(t, append([]string{"--socket", path}, words...)...)
	host := exec.Command(command[0], command[1:]...)
	host.Stderr = os.Stderr
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- host.Wait() }()
	t.Cleanup(func() {
		_ = host.Process.Signal(os.Interrupt)
		<-ended
		_ = os.RemoveAll(folder)
	})
	for {
		if link, err := Socket(path).Open(context.Background()); err == nil {
			link.Close()
			return path
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the host has ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
