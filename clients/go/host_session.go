package flowcage

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"unicode/utf8"
)

const (
	mostLinesWaiting = 64
	readBytes        = 64 << 10
	mostWords        = 10_000 // bytes of an error whose words are not the handler's
)

// asked is a request of the host.
type asked struct {
	id     json.RawMessage
	method string
	params json.RawMessage
}

// answer is how a request of ours was answered.
type answer struct {
	result json.RawMessage
	err    error
}

type waiter struct {
	taken func(json.RawMessage) error // by the reader, before it reads on
	ready chan answer
}

// session is a connection that carries requests in both directions. Its reader never waits for a handler, nor for the
// other direction.
type session struct {
	link     Link
	handle   func(context.Context, *asked) (any, error)
	notified func(method string, params json.RawMessage) error

	outgoing chan []byte
	gone     chan struct{} // once err is set
	threads  sync.WaitGroup
	handlers sync.WaitGroup

	mutex    sync.Mutex // of all below
	maxBytes int
	lastID   int
	waiting  map[string]*waiter
	asked    map[string]context.CancelFunc
	err      error
}

func newSession(link Link) *session {
	return &session{
		link: link, maxBytes: defaultMaxMessageBytes,
		outgoing: make(chan []byte, mostLinesWaiting), gone: make(chan struct{}),
		waiting: map[string]*waiter{}, asked: map[string]context.CancelFunc{},
	}
}

func (s *session) begin() {
	s.threads.Add(2)
	go s.read()
	go s.write()
}

// fail ends the session, with the first error that it is given.
func (s *session) fail(err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	close(s.gone)
	for _, cancel := range s.asked {
		cancel()
	}
	for id, waiter := range s.waiting {
		delete(s.waiting, id)
		waiter.ready <- answer{err: err}
	}
}

// failure is what the session has ended with, or nil.
func (s *session) failure() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.err
}

// ---- our requests ---------------------------------------------------------------------------

// request sends a request; what answers it comes once.
func (s *session) request(
	ctx context.Context, method string, params any, taken func(json.RawMessage) error,
) (<-chan answer, error) {
	s.mutex.Lock()
	s.lastID++
	id := strconv.Itoa(s.lastID)
	s.mutex.Unlock()
	line, err := s.line(map[string]any{"jsonrpc": "2.0", "id": json.RawMessage(id), "method": method, "params": params})
	if err != nil {
		return nil, &CannotSend{ChildError: ChildError{method + " cannot be sent", err}}
	}
	waiter := &waiter{taken: taken, ready: make(chan answer, 1)}
	s.mutex.Lock()
	if s.err == nil {
		s.waiting[id] = waiter
	}
	err = s.err
	s.mutex.Unlock()
	if err == nil {
		err = s.send(ctx, line)
	}
	if err != nil {
		s.mutex.Lock()
		delete(s.waiting, id)
		s.mutex.Unlock()
		return nil, err
	}
	return waiter.ready, nil
}

func (s *session) notify(ctx context.Context, method string, params any) error {
	line, err := s.line(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
	if err != nil {
		return &CannotSend{ChildError: ChildError{method + " cannot be sent", err}}
	}
	return s.send(ctx, line)
}

func (s *session) line(message any) ([]byte, error) {
	line, err := encode(message)
	if err != nil {
		return nil, err
	}
	if err := checkStructure(line); err != nil {
		return nil, err
	}
	s.mutex.Lock()
	most := s.maxBytes
	s.mutex.Unlock()
	if len(line) > most {
		return nil, fmt.Errorf("it takes %d bytes; a line may have %d", len(line), most)
	}
	return append(line, '\n'), nil
}

func (s *session) send(ctx context.Context, line []byte) error {
	select {
	case s.outgoing <- line:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.gone:
		return s.failure()
	}
}

func (s *session) write() {
	defer s.threads.Done()
	for {
		select {
		case line := <-s.outgoing:
			if _, err := s.link.Write(line); err != nil {
				// What it said last, and how it ended, is known at the end of what it wrote.
				<-s.gone
				return
			}
		case <-s.gone:
			return
		}
	}
}

// ---- what the host says ---------------------------------------------------------------------

func (s *session) read() {
	defer s.threads.Done()
	reader := LineReader{MaxBytes: defaultMaxMessageBytes}
	data := make([]byte, readBytes)
	for {
		count, err := s.link.Read(data)
		lines, tooLong := reader.Feed(data[:count])
		for _, line := range lines {
			if err := s.take(line); err != nil {
				s.end(err)
				return
			}
		}
		if tooLong != nil {
			s.end(hostViolation("sent over %d bytes on one line", reader.MaxBytes))
			return
		}
		if err != nil {
			s.end(nil)
			return
		}
		s.mutex.Lock()
		reader.MaxBytes = s.maxBytes
		s.mutex.Unlock()
	}
}

// end fails the session at the end of what the host wrote, or for what it should not have written.
func (s *session) end(violation error) {
	if violation != nil {
		s.link.Kill()
		s.fail(hostGone("the host broke the protocol", violation))
		return
	}
	gone := hostGone("the host has ended", nil)
	if ended := s.link.Ended(lastWords); ended != nil && s.link.Pid() != 0 {
		gone.Ended = ended
		if ended.Stderr != "" {
			gone.message += "; it said: " + ended.Stderr
		}
	}
	s.fail(gone)
}

func (s *session) take(line []byte) error {
	if err := checkStructure(line); err != nil {
		return hostViolation("sent a line with %v", err)
	}
	var members map[string]json.RawMessage // not a struct: that would match members without regard to case
	if !utf8.Valid(line) || json.Unmarshal(line, &members) != nil || string(members["jsonrpc"]) != `"2.0"` {
		return hostViolation("sent what is no JSON-RPC 2.0 message: %.100q", line)
	}
	name, isAsking := members["method"]
	if !isAsking {
		return s.settle(members)
	}
	var method string
	if json.Unmarshal(name, &method) != nil {
		return hostViolation("sent a method that is no text: %.100q", line)
	}
	id, hasID := members["id"]
	if hasID {
		s.begun(&asked{id, method, members["params"]})
		return nil
	}
	if method == "request.cancelled" {
		return s.cancelled(members["params"])
	}
	return s.notified(method, members["params"])
}

func (s *session) settle(members map[string]json.RawMessage) error {
	result, hasResult := members["result"]
	text, hasError := members["error"]
	if hasResult == hasError {
		return hostViolation("sent an answer with neither or both of result and error")
	}
	reply := answer{result: result}
	if hasError {
		refused, err := hostRefusal(text)
		if err != nil {
			return err
		}
		reply.err = refused
	}
	id := string(members["id"])
	s.mutex.Lock()
	waiter := s.waiting[id]
	delete(s.waiting, id) // from here on it is told by us
	s.mutex.Unlock()
	if waiter == nil {
		return hostViolation("answered %.40s, which nobody asked: %.100s%.100s", id, result, text)
	}
	var wrong error
	if hasResult && waiter.taken != nil {
		wrong = waiter.taken(result)
	}
	if wrong != nil {
		reply.err = wrong
	}
	waiter.ready <- reply
	return wrong
}

func hostRefusal(text json.RawMessage) (*HostRefused, error) {
	failure, err := parseError(text)
	if err != nil {
		return nil, hostViolation("sent an error without code, message and data.kind")
	}
	return &HostRefused{failure.Code, failure.Kind, failure.Message, failure.Data}, nil
}

// ---- its requests ---------------------------------------------------------------------------

func (s *session) begun(request *asked) {
	ctx, cancel := context.WithCancel(context.Background())
	id := string(request.id)
	s.mutex.Lock()
	if s.err != nil {
		cancel()
	}
	s.asked[id] = cancel
	s.mutex.Unlock()
	s.handlers.Add(1)
	go func() {
		defer s.handlers.Done()
		defer cancel()
		var result any
		err := errNoReturn
		defer func() {
			s.reply(ctx, request, result, err)
			s.mutex.Lock()
			delete(s.asked, id)
			s.mutex.Unlock()
		}()
		result, err = s.handle(ctx, request)
	}()
}

func (s *session) reply(ctx context.Context, request *asked, result any, err error) {
	if ctx.Err() != nil {
		return // nobody waits for it
	}
	reply := map[string]any{"jsonrpc": "2.0", "id": request.id, "result": result}
	if err != nil {
		reply = map[string]any{"jsonrpc": "2.0", "id": request.id, "error": failureOf(err)}
	}
	line, err := s.line(reply)
	if err != nil {
		rejection := Rejection("the answer cannot be sent: " + cut(err.Error(), mostWords))
		line, _ = s.line(map[string]any{"jsonrpc": "2.0", "id": request.id, "error": failureOf(rejection)})
	}
	_ = s.send(ctx, line) // of a host that is gone everybody is told
}

func (s *session) cancelled(params json.RawMessage) error {
	var cancelled struct {
		ID json.RawMessage `json:"id"`
	}
	if json.Unmarshal(params, &cancelled) != nil {
		return hostViolation("cancelled a request without an id")
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if cancel := s.asked[string(bytes.TrimSpace(cancelled.ID))]; cancel != nil {
		cancel()
	}
	return nil
}

func hostViolation(format string, args ...any) error {
	return &ProtocolViolation{ChildError: ChildError{message: fmt.Sprintf("the host "+format, args...)}}
}
