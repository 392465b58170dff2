package flowcage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

const (
	defaultAnswerTimeout    = 30 * time.Second
	defaultMaxReceivedBytes = 1 << 30
	// A healthy child exits at once when its stdin is closed. A busy one is not waited for.
	closeGrace = 500 * time.Millisecond
	// After a child closed its stdout, its exit must be seen within this time; otherwise it is a protocol violation.
	exitGrace = time.Second
	// SIGKILL takes effect at once, except on a process that is stuck in the kernel.
	reapTime = 10 * time.Second
	glance   = 100 * time.Millisecond
)

var runFailures = map[string]bool{
	"exception": true, "syntax": true, "import": true, "missing_default": true, "timeout": true, "memory": true,
	"stack": true, "serialization": true, "limit": true,
}

// Child is one child. One goroutine at a time may use it; Fail may be called by any.
type Child struct {
	// AnswerTimeout is how long one answer may take: of the child's CPU where that can be read.
	AnswerTimeout time.Duration
	// AnswerClock is how long one answer may take by the clock; zero is AnswerTimeout.
	AnswerClock time.Duration
	// MaxReceivedBytes is how many bytes the child may send.
	MaxReceivedBytes int64

	link       Link
	mutex      sync.Mutex // guards what follows
	connection *Connection
	usage      Usage
	failure    error

	failed  chan struct{} // closed once failure is set
	closing chan struct{} // closed when no reply matters any more
	replies chan Reply
	lines   chan []byte
	workers sync.WaitGroup
}

// Open starts a child, which ctx kills when it is done. Close must follow.
func Open(ctx context.Context, transport Transport) (*Child, error) {
	if ctx.Err() != nil {
		return nil, canceled(ctx)
	}
	link, err := transport.Open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, canceled(ctx)
		}
		return nil, err
	}
	child := &Child{
		AnswerTimeout: defaultAnswerTimeout, MaxReceivedBytes: defaultMaxReceivedBytes,
		link: link, connection: NewConnection(),
		failed: make(chan struct{}), closing: make(chan struct{}), replies: make(chan Reply), lines: make(chan []byte, 1),
	}
	child.workers.Add(3)
	go child.read()
	go child.write()
	go child.watch(ctx)
	return child, nil
}

// Initialize agrees on the version, has the child close its cage, and verifies it.
func (c *Child) Initialize(limits Limits, isolation string) (*Initialized, error) {
	params := map[string]any{
		"protocolVersion": ProtocolVersion,
		"client":          map[string]string{"name": "flowcage-go", "version": "0.1.0"},
		"limits":          limits,
	}
	if isolation != "" {
		params["isolation"] = isolation
	}
	var initialized Initialized
	if err := c.ask("initialize", params, &initialized); err != nil {
		return nil, err
	}
	if err := c.verify(&initialized, limits, isolation); err != nil {
		return nil, c.Fail(err)
	}
	return &initialized, nil
}

// Check has the child compile a source and read its meta, without running it.
func (c *Child) Check(check Check) (*Checked, error) {
	var checked Checked
	if err := c.ask("check", check, &checked); err != nil {
		return nil, err
	}
	if checked.Dialect == "" || checked.Meta == nil {
		return nil, c.Fail(violation("answered check without dialect or meta"))
	}
	for _, finding := range checked.Findings {
		if finding.Kind == "" || finding.Severity == "" || finding.Line < 1 || finding.Column < 1 {
			return nil, c.Fail(violation("sent a finding without its members"))
		}
	}
	return &checked, nil
}

// Start has the child compile the workflow.
func (c *Child) Start(start Start) error { return c.ask("start", start, &struct{}{}) }

// Run is Start and Drain in one message, for a child that has it among its Methods.
func (c *Child) Run(start Start) (*Drained, error) { return c.drained("run", start) }

// Drain runs the workflow to quiet and hands out everything.
func (c *Child) Drain() (*Drained, error) { return c.drained("drain", struct{}{}) }

// Advance settles requests, turn by turn, and is then as Drain, for a child that has it among its Methods. Every value
// must be JSON.
func (c *Child) Advance(turns ...[]Settlement) (*Drained, error) {
	return c.drained("advance", advance{turns})
}

// Replay carries out turns from earlier, for a child that has it among its Methods: Counts has how many of the requests
// each turn has queued that was carried out. Send the others again.
func (c *Child) Replay(turns ...[]Settlement) (*Drained, error) {
	drained, err := c.drained("replay", advance{turns})
	if err == nil && (len(drained.Counts) == 0 || len(drained.Counts) > len(turns)) {
		return nil, c.Fail(violation("counted %d turns of %d", len(drained.Counts), len(turns)))
	}
	return drained, err
}

// Sites is where in its source the workflow made the requests that are outstanding, for a child that has it among its
// Methods.
func (c *Child) Sites() ([]Site, error) {
	var told struct {
		Sites *[]Site `json:"sites"`
	}
	if err := c.ask("sites", struct{}{}, &told); err != nil {
		return nil, err
	}
	if told.Sites == nil {
		return nil, c.Fail(violation("sent no sites"))
	}
	return *told.Sites, nil
}

func (c *Child) drained(method string, params any) (*Drained, error) {
	var drained Drained
	if err := c.ask(method, params, &drained); err != nil {
		return nil, err
	}
	if err := drained.check(); err != nil {
		return nil, c.Fail(err)
	}
	return &drained, nil
}

// Resolve settles a request. A value that is not JSON becomes a rejection that says why.
func (c *Child) Resolve(id string, resolution Resolution) error {
	return c.exchange([]message{{"resolve", Settlement{id, resolution}}}, &struct{}{})
}

// Shutdown has the child exit.
func (c *Child) Shutdown() error { return c.ask("shutdown", struct{}{}, &struct{}{}) }

// Fail ends the conversation: the child is killed and all waiting calls get this error. It returns the first such error.
func (c *Child) Fail(err error) error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.failure == nil {
		c.failure = err
		close(c.failed)
		c.link.Kill()
	}
	return c.failure
}

// Failed is closed when the conversation is over.
func (c *Child) Failed() <-chan struct{} { return c.failed }

// Err is why the conversation is over; nil while it is not.
func (c *Child) Err() error {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.failure
}

// Close ends the child and reaps it, and must be called once: its stdin is closed first, and it has half a second to exit.
func (c *Child) Close() {
	close(c.closing)
	if c.Err() == nil {
		_ = c.link.CloseWrite()
		c.link.Ended(closeGrace)
		_ = c.Fail(&Canceled{ChildError: ChildError{"the child was closed", context.Canceled}})
	}
	c.link.Ended(reapTime)
	c.link.Close()
	c.workers.Wait()
}

type message struct {
	method string
	params any
}

type advance struct {
	Turns [][]Settlement `json:"turns"`
}

func (c *Child) ask(method string, params, result any) error {
	return c.exchange([]message{{method, params}}, result)
}

// exchange sends messages in one write and waits for all their replies; the last one's result is decoded.
func (c *Child) exchange(messages []message, result any) error {
	lines, err := c.encode(messages)
	if err != nil {
		return err
	}
	select {
	case c.lines <- lines:
	case <-c.failed:
		return c.Err()
	}
	var reply Reply
	for range messages {
		if reply, err = c.receive(); err != nil {
			return err
		}
	}
	if json.Unmarshal(reply.Result, result) != nil || reply.Result[0] != '{' {
		return c.Fail(violation("sent an answer to %s that is not in the contract", reply.Method))
	}
	return nil
}

func (c *Child) encode(messages []message) ([]byte, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	var lines []byte
	for _, message := range messages {
		line, err := c.connection.Send(message.method, message.params)
		if asked, ok := message.params.(Settlement); ok && err != nil {
			rejection := fmt.Sprintf("the host's answer cannot be sent: %v", errors.Unwrap(err))
			line, err = c.connection.Send("resolve", Settlement{asked.ID, Resolution{Type: "error", Message: rejection}})
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, line...)
	}
	c.usage.Messages += len(messages)
	c.usage.BytesSent += int64(len(lines))
	return lines, nil
}

func (c *Child) receive() (Reply, error) {
	// Most answers come before the first look; reading the child's CPU from a file would cost more than they do.
	timer := time.NewTimer(min(glance, c.AnswerTimeout))
	defer timer.Stop()
	patience := patience{child: c, began: time.Now()}
	for {
		select {
		case reply := <-c.replies:
			if reply.Error != nil {
				return reply, refusal(reply.Error)
			}
			return reply, nil
		case <-timer.C:
			left := patience.left()
			if left <= 0 {
				text := fmt.Sprintf("the child did not answer in %v and was killed", c.AnswerTimeout)
				return Reply{}, c.Fail(&ChildSilent{ChildError: ChildError{message: text}})
			}
			timer.Reset(left)
		case <-c.failed:
			return Reply{}, c.Err()
		}
	}
}

// patience is how long a child may still take for one answer.
type patience struct {
	child    *Child
	began    time.Time
	glanced  bool
	cpuBegan time.Duration
	cpuKnown bool
}

func (p *patience) left() time.Duration {
	clock := p.child.AnswerClock
	if clock == 0 {
		clock = p.child.AnswerTimeout
	}
	left := clock - time.Since(p.began)
	cpu, known := cpuOf(p.child.link.Pid())
	if !p.glanced {
		p.glanced, p.cpuBegan, p.cpuKnown = true, cpu, known
	}
	if p.cpuKnown && known {
		left = min(left, p.child.AnswerTimeout-(cpu-p.cpuBegan))
	}
	return left
}

func min(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}

// read checks everything: the first fault ends the child.
func (c *Child) read() {
	defer c.workers.Done()
	data := make([]byte, 64<<10)
	for {
		count, err := c.link.Read(data)
		if err != nil {
			c.gone()
			return
		}
		replies, err := c.take(data[:count])
		for _, reply := range replies {
			select {
			case c.replies <- reply:
			case <-c.closing:
			case <-c.failed:
			}
		}
		if err != nil {
			_ = c.Fail(err)
		}
	}
}

func (c *Child) take(data []byte) ([]Reply, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.failure != nil {
		return nil, c.failure
	}
	c.usage.BytesReceived += int64(len(data))
	if c.usage.BytesReceived > c.MaxReceivedBytes {
		text := fmt.Sprintf("the child said more than %d bytes and was killed", c.MaxReceivedBytes)
		return nil, &OutputExceeded{ChildError: ChildError{message: text}}
	}
	replies, err := c.connection.Receive(data)
	c.usage.Messages += len(replies)
	return replies, err
}

func (c *Child) gone() {
	if ended := c.link.Ended(exitGrace); ended != nil {
		_ = c.Fail(&ChildDied{Ended: *ended})
	} else {
		_ = c.Fail(violation("closed its stdout and went on living; it was killed"))
	}
}

// write is a goroutine of its own: a child that answers before it has read everything must not block on a full pipe.
func (c *Child) write() {
	defer c.workers.Done()
	for {
		select {
		case lines := <-c.lines:
			_, _ = c.link.Write(lines) // if the child has ended, the end of its stdout leads to the reason
		case <-c.failed:
			return
		}
	}
}

func (c *Child) watch(ctx context.Context) {
	defer c.workers.Done()
	select {
	case <-ctx.Done():
		_ = c.Fail(canceled(ctx))
	case <-c.failed:
	}
}

func (c *Child) verify(initialized *Initialized, limits Limits, isolation string) error {
	most := limits.MaxMessageBytes
	if most == 0 {
		most = defaultMaxMessageBytes
	}
	switch {
	case initialized.ProtocolVersion != ProtocolVersion:
		return violation("answered with version %.40q", initialized.ProtocolVersion)
	case initialized.MaxMessageBytes < 1 || initialized.MaxMessageBytes > most:
		return violation("allows itself longer messages than it may send")
	}
	if isolation == "strict" || (isolation == "" && runtime.GOOS == "linux") {
		if err := requireLayers(initialized.Isolation); err != nil {
			return err
		}
		if pid := c.link.Pid(); pid != 0 {
			if err := requireCage(pid); err != nil {
				return err
			}
		}
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.connection.SetMaxMessageBytes(int(initialized.MaxMessageBytes))
	return nil
}

func (c *Child) usageSoFar() Usage {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.usage
}

func refusal(failure *ReplyError) error {
	cause := errors.New(failure.Message)
	switch {
	case runFailures[failure.Kind]:
		var data struct {
			Stack string `json:"stack"`
		}
		_ = json.Unmarshal(failure.Data, &data) // the stack is optional
		return &WorkflowFailed{Kind: failure.Kind, Message: failure.Message, Stack: data.Stack, Data: failure.Data}
	case failure.Kind == "isolation_unavailable":
		return &IsolationUnavailable{ChildError: ChildError{"the child cannot close its cage", cause}}
	}
	return &RunRefused{ChildError: ChildError{"the child refused a message", cause}, Kind: failure.Kind}
}

func canceled(ctx context.Context) error {
	return &Canceled{ChildError: ChildError{"the run was ended", ctx.Err()}}
}
