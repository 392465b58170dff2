package flowcage

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	stderrTailBytes = 8 << 10
	maxStderrBytes  = 16 << 20
	// The last of its stderr may still be in the pipe when a child has ended.
	lastWords = time.Second
)

// Transport starts a child.
type Transport interface {
	Open(ctx context.Context) (Link, error)
}

// Link is a child's streams, and how to end it.
type Link interface {
	Read(data []byte) (int, error)
	Write(data []byte) (int, error)
	// CloseWrite ends the child's stdin.
	CloseWrite() error
	// Kill ends the child and all of its process group.
	Kill()
	// Ended tells how the child ended, or nil if it has not within that time.
	Ended(within time.Duration) *Ended
	// Pid is the child's process id, 0 if it is not a process of ours.
	Pid() int
	// Close closes our ends of the streams, once the child has ended.
	Close()
}

// Spawn starts each child as a process, in a session of its own. Command is program and arguments; empty, it is
// flowcage-child from the PATH. If this process dies, the end of stdin ends the child.
type Spawn struct{ Command []string }

// Open starts a process.
func (s Spawn) Open(context.Context) (Link, error) {
	command := s.Command
	if len(command) == 0 {
		command = []string{"flowcage-child"}
	}
	program := command[0]
	if strings.ContainsRune(program, filepath.Separator) {
		if found, err := filepath.Abs(program); err == nil {
			program = found // the child starts in another folder
		}
	}
	link := newProcessLink()
	link.mostStderr = maxStderrBytes
	process := exec.Command(program, command[1:]...)
	process.Dir = "/"
	process.Env = []string{"TZ=UTC0"} // no variables of ours; without TZ the C library would read /etc/localtime
	if err := link.start(process); err != nil {
		return nil, &LaunchFailed{ChildError: ChildError{"no child could be started", err}}
	}
	return link, nil
}

// Socket is the path of `flowcage serve --socket PATH`, which forks a child for each connection.
type Socket string

// Open connects.
func (s Socket) Open(ctx context.Context) (Link, error) {
	connection, err := new(net.Dialer).DialContext(ctx, "unix", string(s))
	if err != nil {
		return nil, &LaunchFailed{ChildError: ChildError{"no connection to " + string(s), err}}
	}
	return &socketLink{UnixConn: connection.(*net.UnixConn), closed: make(chan struct{})}, nil
}

type processLink struct {
	process               *exec.Cmd
	stdin, stdout, stderr *os.File
	exited, heard         chan struct{}
	mutex                 sync.Mutex // reaped must not change between a look at it and a kill
	reaped                bool
	tail                  []byte // read it after heard
	mostStderr            int    // 0 for no limit
}

func newProcessLink() *processLink {
	return &processLink{exited: make(chan struct{}), heard: make(chan struct{})}
}

func (l *processLink) start(process *exec.Cmd) error {
	var theirs [3]*os.File
	var err error
	// Pipes of our own: those of os/exec are closed, read or not, when the process ends.
	if theirs[0], l.stdin, err = os.Pipe(); err == nil {
		if l.stdout, theirs[1], err = os.Pipe(); err == nil {
			l.stderr, theirs[2], err = os.Pipe()
		}
	}
	process.Stdin, process.Stdout, process.Stderr = theirs[0], theirs[1], theirs[2]
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err == nil {
		err = process.Start()
	}
	closeAll(theirs[:]...)
	if err != nil {
		closeAll(l.stdin, l.stdout, l.stderr)
		return err
	}
	l.process = process
	go l.wait()
	go l.hear()
	return nil
}

func (l *processLink) wait() {
	_ = l.process.Wait()
	l.mutex.Lock()
	l.reaped = true
	// Processes that a child without a cage left in its group end with it.
	_ = syscall.Kill(-l.Pid(), syscall.SIGKILL)
	l.mutex.Unlock()
	close(l.exited)
}

// hear keeps the last of stderr. Beyond the limit, if there is one, the child blocks on its own pipe: reading costs us more than writing
// costs the child.
func (l *processLink) hear() {
	defer close(l.heard)
	data := make([]byte, 64<<10)
	for total := 0; l.mostStderr == 0 || total < l.mostStderr; {
		count, err := l.stderr.Read(data)
		if err != nil {
			return
		}
		total += count
		l.tail = append(l.tail, data[:count]...)
		if over := len(l.tail) - stderrTailBytes; over > 0 {
			l.tail = append([]byte(nil), l.tail[over:]...)
		}
	}
}

func (l *processLink) Read(data []byte) (int, error)  { return l.stdout.Read(data) }
func (l *processLink) Write(data []byte) (int, error) { return l.stdin.Write(data) }
func (l *processLink) CloseWrite() error              { return l.stdin.Close() }
func (l *processLink) Pid() int                       { return l.process.Process.Pid }

func (l *processLink) Kill() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.reaped {
		_ = syscall.Kill(-l.Pid(), syscall.SIGKILL)
		_ = l.process.Process.Kill() // it may have left its group
	}
}

func (l *processLink) Ended(within time.Duration) *Ended {
	if !isDone(l.exited, within) {
		return nil
	}
	ended := &Ended{ExitCode: l.process.ProcessState.ExitCode()}
	if status, ok := l.process.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		ended.Signal = status.Signal().String()
	}
	if isDone(l.heard, lastWords) {
		ended.Stderr = withoutEscapes(l.tail)
	}
	return ended
}

func (l *processLink) Close() {
	closeAll(l.stdin, l.stdout, l.stderr)
	<-l.heard
}

type socketLink struct {
	*net.UnixConn
	closed chan struct{} // at the end, of which Read tells, and Kill
	once   sync.Once
}

func (l *socketLink) Read(data []byte) (int, error) {
	count, err := l.UnixConn.Read(data)
	if err != nil {
		l.end()
	}
	return count, err
}

func (l *socketLink) end() { l.once.Do(func() { close(l.closed) }) }

// Kill closes the connection; the server kills its child then.
func (l *socketLink) Kill() {
	_ = l.UnixConn.Close()
	l.end() // nobody may read any more
}

func (l *socketLink) Close()   { _ = l.UnixConn.Close() }
func (l *socketLink) Pid() int { return 0 }

func (l *socketLink) Ended(within time.Duration) *Ended {
	if !isDone(l.closed, within) {
		return nil
	}
	return &Ended{ExitCode: -1}
}

func isDone(done <-chan struct{}, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		_ = file.Close() // closing nil only returns an error
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]`)

func withoutEscapes(text []byte) string {
	return strings.TrimSpace(escapes.ReplaceAllString(strings.ToValidUTF8(string(text), "\uFFFD"), ""))
}
