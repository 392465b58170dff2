package flowcage

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const greeting = `{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"1.0","maxMessageBytes":1000,"maxOpenRequests":10}}`

// scripted is a host that answers each line of its client with these, and closes the connection after the last.
func scripted(t *testing.T, script ...string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "flowcage")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "socket")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		defer connection.Close()
		lines := bufio.NewScanner(connection)
		for _, each := range script {
			if !lines.Scan() {
				return
			}
			_, _ = fmt.Fprintln(connection, each)
		}
		if strings.HasSuffix(script[len(script)-1], "}") {
			lines.Scan() // what the client has to say of it, before its end
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		_ = os.RemoveAll(folder)
	})
	return path
}

func TestAHostThatBreaksTheProtocolIsLeft(t *testing.T) {
	started := greeting + "\n"
	for name, line := range map[string]string{
		"what is no JSON":                "hello",
		"a list":                         "[]",
		"no version of JSON-RPC":         `{"id":2,"result":{}}`,
		"bytes that are not UTF-8":       "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"\xff\"}",
		"a line that is too long":        `{"jsonrpc":"2.0","id":2,"result":"` + strings.Repeat("x", 1000) + `"}`,
		"a number that no double holds":  `{"jsonrpc":"2.0","id":2,"result":1e999}`,
		"more levels than are parsed":    strings.Repeat("[", 600),
		"an answer that nobody asked":    `{"jsonrpc":"2.0","id":99,"result":{}}`,
		"an answer without an id":        `{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no","data":{"kind":"parse_error"}}}`,
		"neither a result nor an error":  `{"jsonrpc":"2.0","id":2}`,
		"both":                           `{"jsonrpc":"2.0","id":2,"result":{},"error":{"code":1,"message":"a","data":{"kind":"internal"}}}`,
		"an error without a kind":        `{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"a"}}`,
		"a run without an id":            `{"jsonrpc":"2.0","id":2,"result":{}}`,
		"an event that is none":          `{"jsonrpc":"2.0","method":"run.event","params":{"runId":"r","event":7}}`,
		"a cancellation without params":  `{"jsonrpc":"2.0","method":"request.cancelled"}`,
		"a method that is no text":       `{"jsonrpc":"2.0","method":7,"id":1}`,
		"an end that is none of the run": `{"jsonrpc":"2.0","id":2,"result":{"runId":"r"}}` + "\n" + `{"jsonrpc":"2.0","id":3,"result":{}}`,
	} {
		t.Run(name, func(t *testing.T) {
			host, err := OpenHost(context.Background(), HostOptions{
				Socket: scripted(t, started[:len(started)-1], line), CloseGrace: time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = host.Run(context.Background(), Workflow{Source: "return 1"})
			var violation *ProtocolViolation
			if !errors.As(err, &violation) {
				t.Error(err)
			}
			host.Close()
			requireNoGoroutines(t)
		})
	}
}

func TestAHostThatIsNoneIsRefused(t *testing.T) {
	for name, line := range map[string]string{
		"an older version": `{"jsonrpc":"2.0","id":1,"error":{"code":-32024,"message":"9.9","data":{"kind":"protocol_version","supported":["2.0"]}}}`,
		"another version":  strings.Replace(greeting, `"1.0"`, `"2.0"`, 1),
		"no limits":        `{"jsonrpc":"2.0","id":1,"result":{}}`,
		"an end":           "",
	} {
		t.Run(name, func(t *testing.T) {
			if host, err := OpenHost(context.Background(), HostOptions{Socket: scripted(t, line)}); err == nil {
				host.Close()
				t.Error("it is taken for a host")
			}
			requireNoGoroutines(t)
		})
	}
}

func TestARequestThatAClientDoesNotKnowIsRefusedAndNothingElse(t *testing.T) {
	path := scripted(t, greeting,
		`{"jsonrpc":"2.0","id":7,"method":"agent.sing","params":{}}`,
		`{"jsonrpc":"2.0","method":"of.later","params":{}}`+"\n"+`{"jsonrpc":"2.0","id":2,"result":{"runs":[],"next":null}}`)
	host, err := OpenHost(context.Background(), HostOptions{Socket: path, CloseGrace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	// The second line of the script comes for the list, the third for the refusal.
	if list, err := host.List(context.Background(), ListRuns{}); err != nil || len(list.Runs) != 0 {
		t.Fatal(list, err)
	}
}

func TestWhatAnErrorSaysOfItsKindAndCost(t *testing.T) {
	for err, want := range map[error]string{
		Rejection("no"):                             `{"code":-32000,"data":{"kind":"rejected"},"message":"no"}`,
		errors.New("broken"):                        `{"code":-32000,"data":{"kind":"fault"},"message":"broken"}`,
		&unknownMethod{"a.b"}:                       `{"code":-32601,"message":"there is no method a.b"}`,
		&AgentFailure{}:                             `{"code":-32000,"data":{"kind":"failed"},"message":""}`,
		failureWith("wrong", 1):                     `{"code":-32000,"data":{"kind":"wrong","costUsd":1},"message":"m"}`,
		fmt.Errorf("outer: %w", Rejection("inner")): `{"code":-32000,"data":{"kind":"rejected"},"message":"inner"}`,
	} {
		if text, _ := json.Marshal(failureOf(err)); string(text) != want {
			t.Errorf("%s in place of %s", text, want)
		}
	}
}

func failureWith(kind string, cost float64) error {
	return &AgentFailure{Kind: kind, Message: "m", Spent: Spent{CostUsd: &cost}}
}
