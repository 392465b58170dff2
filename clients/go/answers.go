package flowcage

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"
)

// answers answers the requests of one run, each exactly once.
type answers struct {
	ctx              context.Context
	cancel           context.CancelFunc
	options          *Options
	child            *Child
	handedOut        int // requests in all; only the run's own goroutine uses this and the next
	outstanding      int // requests that no resolve has settled
	ready            chan Settlement
	agents, children chan struct{} // one place for each that may be at work
	handlers         sync.WaitGroup
}

func newAnswers(ctx context.Context, options *Options, child *Child) *answers {
	ctx, cancel := context.WithCancel(ctx)
	return &answers{
		ctx: ctx, cancel: cancel, options: options, child: child,
		ready:    make(chan Settlement, mostAnswersPerWrite),
		agents:   make(chan struct{}, options.MaxAgents),
		children: make(chan struct{}, options.MaxChildren),
	}
}

// stop ends the handlers' context and waits for them.
func (a *answers) stop() {
	a.cancel()
	a.handlers.Wait()
}

// admit counts the requests of a drain, which begin answers.
func (a *answers) admit(requests []Request) error {
	most := orDefault(a.options.Limits.MaxPendingRequests, defaultMaxPending)
	for _, request := range requests {
		switch request.Type {
		case "agent", "workflow", "sleep", "sandbox_exec", "ask":
		default:
			return violation("sent a request of an unknown type: %s", shorten(request.Type))
		}
		// Ids count from 1, so a repeated one is recognised without a record of those before.
		if a.handedOut++; request.ID != strconv.Itoa(a.handedOut) {
			return violation("gave request %d the id %s", a.handedOut, shorten(request.ID))
		}
		if a.outstanding++; int64(a.outstanding) > most {
			return violation("has more requests outstanding than its limit")
		}
	}
	return nil
}

func (a *answers) begin(requests []Request) {
	a.handlers.Add(len(requests))
	for _, request := range requests {
		go a.settle(request)
	}
}

// wait returns at least one answer.
func (a *answers) wait() ([]Settlement, error) {
	var settled []Settlement
	for {
		select {
		case answer := <-a.ready:
			a.outstanding--
			settled = append(settled, answer)
			if len(settled) < mostAnswersPerWrite && len(a.ready) > 0 {
				continue
			}
			return settled, nil
		case <-a.child.Failed():
			return nil, a.child.Err()
		}
	}
}

func (a *answers) settle(request Request) {
	defer a.handlers.Done()
	var value any
	err := errNoReturn
	defer func() { a.give(request, value, err) }()
	value, err = a.answer(request)
}

// give settles a request with what its handler has returned.
func (a *answers) give(request Request, value any, err error) {
	resolution := Resolution{Type: "ok", Value: value, Budget: a.options.Budget.now()}
	if request.Type == "sleep" {
		resolution = Resolution{Type: "ok_undefined"}
	}
	if err != nil {
		if !isRejection(err) {
			if a.ctx.Err() == nil {
				text := fmt.Sprintf("the handler of %s request %s", shorten(request.Type), shorten(request.ID))
				_ = a.child.Fail(&HandlerFailed{ChildError: ChildError{text, err}})
			}
			return
		}
		resolution = Resolution{Type: "error", Message: err.Error()}
	}
	select {
	case a.ready <- Settlement{request.ID, resolution}:
	case <-a.ctx.Done():
	}
}

func (a *answers) answer(request Request) (any, error) {
	switch request.Type {
	case "sleep":
		return nil, a.sleep(milliseconds(*request.DurationMs))
	case "agent":
		return a.use(a.agents, a.options.Agent, request)
	case "ask": // a person takes no place at work
		if a.options.Ask == nil {
			return nil, Rejection("ask() is refused: this host asks nobody")
		}
		return a.options.Ask(a.ctx, request)
	case "workflow":
		return a.use(a.children, a.options.Workflow, request)
	}
	return a.use(a.children, a.options.SandboxExec, request)
}

func (a *answers) use(
	places chan struct{}, handler func(context.Context, Request) (any, error), request Request,
) (any, error) {
	if handler == nil {
		return nil, Rejection(fmt.Sprintf("this host answers no %s requests", shorten(request.Type)))
	}
	select {
	case places <- struct{}{}:
		defer func() { <-places }()
	case <-a.ctx.Done():
		return nil, a.ctx.Err()
	}
	return handler(a.ctx, request)
}

func (a *answers) sleep(duration time.Duration) error {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.ctx.Done():
		return a.ctx.Err()
	}
}

// isRejection: the failure of a child workflow is one, too, because its parent may catch it.
func isRejection(err error) bool {
	var rejection Rejection
	var failed *WorkflowFailed
	var stalled *WorkflowStalled
	return errors.As(err, &rejection) || errors.As(err, &failed) || errors.As(err, &stalled)
}
