package flowcage

import (
	"encoding/json"
	"sync"
)

const (
	mostEventsHeld     = 10_000
	mostEventBytesHeld = 16 << 20
)

// events passes the events of one run on to somebody who may be slower than they come.
type events struct {
	hear  func(Event)
	runID string
	done  chan struct{} // once the last of them was heard

	mutex   sync.Mutex
	held    []Event
	bytes   int // of the events that are held
	dropped int
	isOver  bool
	wake    chan struct{}
}

func newEvents(hear func(Event)) *events {
	return &events{hear: hear, done: make(chan struct{}), wake: make(chan struct{}, 1)}
}

// push keeps an event. Where there is no room it is dropped, and a gap says how many were.
func (e *events) push(event Event) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	switch {
	case e.isOver:
		return
	case e.isFull() && event.Type != "ended":
		e.dropped++
		return
	case e.dropped > 0:
		raw, _ := json.Marshal(map[string]any{"type": "gap", "runId": e.runID, "dropped": e.dropped})
		e.held, e.dropped = append(e.held, Event{Type: "gap", RunID: e.runID, Raw: raw}), 0
	}
	e.held = append(e.held, event)
	e.bytes += len(event.Raw)
	e.tell()
}

func (e *events) isFull() bool { return len(e.held) >= mostEventsHeld || e.bytes >= mostEventBytesHeld }

// close says that there are no more.
func (e *events) close() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.isOver = true
	e.tell()
}

func (e *events) tell() {
	select {
	case e.wake <- struct{}{}:
	default: // it was told already
	}
}

func (e *events) pass() {
	defer close(e.done)
	for range e.wake {
		e.mutex.Lock()
		held, isOver := e.held, e.isOver
		e.held, e.bytes = nil, 0
		e.mutex.Unlock()
		for _, event := range held {
			e.hear(event)
		}
		if isOver {
			return
		}
	}
}
