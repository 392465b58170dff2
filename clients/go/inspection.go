package flowcage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

var strictLayers = []string{
	"memory", "cpu", "files", "processes", "core", "descriptors", "environment", "capabilities", "no_new_privs",
	"seccomp",
}

// As strict isolation has them in proc(5), /proc/PID/status. Capability sets are in hexadecimal.
var expectedStatus = [][2]string{
	{"Seccomp", "2"},
	{"NoNewPrivs", "1"},
	{"Threads", "1"},
	{"CapEff", "0000000000000000"},
	{"CapPrm", "0000000000000000"},
}

func requireLayers(isolation map[string]Layer) error {
	for _, name := range strictLayers {
		if !isolation[name].Applied {
			return violation("went on without isolation: %s", name)
		}
	}
	return nil
}

const tick = 10 * time.Millisecond // the unit of proc(5) on Linux, whatever the kernel counts in

// cpuOf is the CPU that a process has used, and whether it could be read.
func cpuOf(pid int) (time.Duration, bool) {
	if pid == 0 {
		return 0, false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	// The second field is the program's name in parentheses, and may hold anything. utime and stime: 14th, 15th.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, false
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, errUser == nil && errSystem == nil
}

// requireCage verifies with the kernel the cage that a child claims, before it gets any source.
func requireCage(pid int) error {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return &IsolationUnavailable{ChildError: ChildError{
			"strict isolation cannot be verified; mount /proc without hidepid, or pass isolation best_effort", err}}
	}
	if difference := whyNotCaged(string(status)); difference != "" {
		return violation("claims a cage that the kernel does not confirm: %s", difference)
	}
	return nil
}

// whyNotCaged is the first line of a /proc/PID/status that is not as the cage makes it; empty where all are.
func whyNotCaged(status string) string {
	found := map[string]string{}
	for _, line := range strings.Split(status, "\n") {
		if name, value, ok := strings.Cut(line, ":\t"); ok {
			found[name] = value
		}
	}
	for _, expected := range expectedStatus {
		if value := found[expected[0]]; value != expected[1] {
			return fmt.Sprintf("%s is %q, not %s", expected[0], value, expected[1])
		}
	}
	return ""
}
