package flowcage

import (
	"encoding/json"
	"os"
	"reflect"
	"sort"
	"strings"
	"testing"
)

// definition is what a bundle has of one message, or of a part of one.
type definition struct {
	Properties map[string]any `json:"properties"`
}

// mirror is a type, and the members of its definition that are written or read elsewhere, or not at all.
type mirror struct {
	value any
	apart string
}

var mirrors = map[string]map[string]mirror{
	"bundle.json": {
		"StartParams":          {Start{}, "describe limits"},
		"InitializeResult":     {Initialized{}, "server engine"},
		"Limits":               {Limits{}, ""},
		"Layer":                {Layer{}, ""},
		"Budget":               {BudgetState{}, ""},
		"CheckParams":          {Check{}, ""},
		"CheckResult":          {Checked{}, ""},
		"Finding":              {Finding{}, ""},
		"ExecRequest":          {Program{}, ""},
		"ReplayResultComplete": {Drained{}, ""},
	},
	"host-bundle.json": {
		"RunStartParams":      {Workflow{}, "events"},
		"RunResumeParams":     {Resume{}, "start events"},
		"RunOptions":          {RunOptions{}, ""},
		"CheckParams":         {HostCheck{}, ""},
		"InitializeResult":    {HostInfo{}, ""},
		"AgentAskParams":      {AgentCall{}, ""},
		"AgentAskResult":      {Spent{}, "value text sessionId worktree"},
		"ClientErrorData":     {Spent{}, "kind text needsUsd needsTokens"},
		"AgentProgressParams": {Progress{}, "id"},
		"TokenUsageObject":    {TokenUsage{}, ""},
		"WorkflowGetParams":   {WorkflowCall{}, ""},
		"SandboxExecParams":   {SandboxCall{}, ""},
		"QuestionAskParams":   {Question{}, ""},
		"Run":                 {RunState{}, ""},
		"RunGetResult":        {RunDetails{}, ""},
		"RunListParams":       {ListRuns{}, ""},
		"RunListResult":       {RunList{}, ""},
		"Outcome":             {RunOutcome{}, ""},
		"Explanation":         {Explanation{}, ""},
	},
}

func TestTheTypesHaveTheMembersOfTheSchemas(t *testing.T) {
	for file, types := range mirrors {
		text, err := os.ReadFile("../../schemas/forms/" + file)
		if err != nil {
			t.Skip("the schemas are in the repository, not here")
		}
		var bundle struct {
			Definitions map[string]definition `json:"$defs"`
		}
		if err := json.Unmarshal(text, &bundle); err != nil {
			t.Fatal(err)
		}
		for name, mirror := range types {
			wanted := bundle.Definitions[name].Properties
			if wanted == nil {
				t.Errorf("there is no definition %s", name)
			}
			have := members(reflect.TypeOf(mirror.value), map[string]bool{})
			for _, member := range strings.Fields(mirror.apart) {
				have[member] = true
			}
			if told, want := sorted(have), sorted(wanted); !reflect.DeepEqual(told, want) {
				t.Errorf("%s has %v in place of %v", name, told, want)
			}
		}
	}
}

func members(of reflect.Type, found map[string]bool) map[string]bool {
	for number := 0; number < of.NumField(); number++ {
		field := of.Field(number)
		name := strings.Split(field.Tag.Get("json"), ",")[0]
		switch {
		case field.Anonymous:
			members(field.Type, found)
		case name != "" && name != "-":
			found[name] = true
		}
	}
	return found
}

func sorted[V any](names map[string]V) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}
