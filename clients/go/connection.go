package flowcage

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	defaultMaxMessageBytes = 8 << 20
	// The child's own bounds: a short text can hide a value that costs a hundred times its bytes.
	maxDepth  = 512
	maxValues = 1_000_000
)

// LineReader splits a byte stream into lines and never holds more than one capped line.
type LineReader struct {
	MaxBytes int
	held     []byte
}

// Feed returns the lines that these bytes complete, or a ProtocolViolation for one over the cap.
func (r *LineReader) Feed(data []byte) ([][]byte, error) {
	var lines [][]byte
	for {
		end := bytes.IndexByte(data, '\n')
		part := data
		if end >= 0 {
			part = data[:end]
		}
		if len(r.held)+len(part) > r.MaxBytes {
			return lines, violation("sent over %d bytes on one line", r.MaxBytes)
		}
		r.held = append(r.held, part...)
		if end < 0 {
			return lines, nil
		}
		lines = append(lines, r.held)
		r.held, data = nil, data[end+1:]
	}
}

// Reply is a result, or the error that the child answered with.
type Reply struct {
	Method string
	Result json.RawMessage
	Error  *ReplyError
}

// ReplyError is a JSON-RPC error object. Branch on Kind.
type ReplyError struct {
	Code    int
	Message string
	Kind    string
	Data    json.RawMessage
}

type due struct {
	id     int
	method string
}

// Connection is the host's end of the wire without any I/O: it gives requests their ids, and accepts a reply
// only if it is the next one due. It is not safe for use by several goroutines.
type Connection struct {
	reader     LineReader
	nextID     int
	unanswered []due
}

// NewConnection returns a connection on which nothing has been sent.
func NewConnection() *Connection {
	return &Connection{reader: LineReader{MaxBytes: defaultMaxMessageBytes}, nextID: 1}
}

// SetMaxMessageBytes caps lines in both directions, as initialize reported.
func (c *Connection) SetMaxMessageBytes(value int) { c.reader.MaxBytes = value }

// Send returns the bytes of a request's line, or CannotSend, and then nothing is expected.
func (c *Connection) Send(method string, params any) ([]byte, error) {
	message := map[string]any{"jsonrpc": "2.0", "id": c.nextID, "method": method, "params": params}
	line, err := encode(message)
	if err == nil {
		err = checkStructure(line)
	}
	if err == nil && len(line) > c.reader.MaxBytes {
		err = fmt.Errorf("it takes %d bytes; a line may have %d", len(line), c.reader.MaxBytes)
	}
	if err != nil {
		return nil, &CannotSend{ChildError: ChildError{method + " cannot be sent", err}}
	}
	c.unanswered = append(c.unanswered, due{c.nextID, method})
	c.nextID++
	return append(line, '\n'), nil
}

// Receive returns the replies that these bytes complete, in order, or a ProtocolViolation.
func (c *Connection) Receive(data []byte) ([]Reply, error) {
	lines, err := c.reader.Feed(data)
	var replies []Reply
	for _, line := range lines {
		reply, wrong := c.match(line)
		if wrong != nil {
			return replies, wrong
		}
		replies = append(replies, reply)
	}
	return replies, err
}

func (c *Connection) match(line []byte) (Reply, error) {
	members, err := parse(line)
	if err != nil {
		return Reply{}, err
	}
	if len(c.unanswered) == 0 {
		return Reply{}, violation("replied to nothing")
	}
	expected := c.unanswered[0]
	c.unanswered = c.unanswered[1:]
	result, hasResult := members["result"]
	failure, hasError := members["error"]
	if string(members["jsonrpc"]) != `"2.0"` || hasResult == hasError {
		return Reply{}, violation("sent what is no JSON-RPC 2.0 reply")
	}
	reply := Reply{Method: expected.method, Result: result}
	if hasError {
		if reply.Error, err = parseError(failure); err != nil {
			return Reply{}, err
		}
	}
	id := string(members["id"])
	if id != fmt.Sprint(expected.id) && !(id == "null" && hasError && reply.Error.isWithoutID()) {
		return Reply{}, violation("replied to %.40s instead of %d", id, expected.id)
	}
	return reply, nil
}

// isWithoutID: an error of a child about a line whose id it could not read.
func (e *ReplyError) isWithoutID() bool {
	return e.Kind == "parse_error" || e.Kind == "invalid_request" || e.Kind == "message_too_large"
}

func parse(line []byte) (map[string]json.RawMessage, error) {
	if err := checkStructure(line); err != nil {
		return nil, violation("sent a line with %v", err)
	}
	if !utf8.Valid(line) {
		return nil, violation("sent what is not UTF-8")
	}
	var members map[string]json.RawMessage // not a struct: that would match members without regard to case
	if err := json.Unmarshal(line, &members); err != nil || members == nil {
		return nil, violation("sent what is no JSON object: %.100q", line)
	}
	return members, nil
}

func parseError(text json.RawMessage) (*ReplyError, error) {
	var failure struct {
		Code    *int            `json:"code"`
		Message *string         `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	var data struct {
		Kind string `json:"kind"`
	}
	if json.Unmarshal(text, &failure) != nil || failure.Code == nil || failure.Message == nil ||
		json.Unmarshal(failure.Data, &data) != nil || data.Kind == "" {
		return nil, violation("sent an error without code, message and data.kind")
	}
	return &ReplyError{*failure.Code, *failure.Message, data.Kind, failure.Data}, nil
}

// encode is json.Marshal without the escapes for HTML.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'}), nil
}

// checkStructure reports a text that has too much structure to be parsed, or a number that no double holds.
func checkStructure(text []byte) error {
	depth, values := 0, 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			at = endOfString(text, at)
		case ',':
			values++
		case '[', '{':
			values++
			depth++
		case ']', '}':
			depth--
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end := at + len(text[at:]) - len(bytes.TrimLeft(text[at:], "+-.0123456789Ee"))
			if _, err := strconv.ParseFloat(string(text[at:end]), 64); errors.Is(err, strconv.ErrRange) {
				return errors.New("a number too large for a double")
			}
			at = end - 1
		}
		if depth > maxDepth || values > maxValues {
			return fmt.Errorf("more than %d levels of nesting or %d values", maxDepth, maxValues)
		}
	}
	return nil
}

func endOfString(text []byte, start int) int {
	for at := start + 1; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at
		}
	}
	return len(text)
}

func shorten(text string) string { return cut(text, 40) }

func cut(text string, most int) string {
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "")
	}
	return text
}
