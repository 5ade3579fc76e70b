package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"

	"sigs.k8s.io/yaml"
)

type health struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

// The forms of Argo CD's resource_customizations.
type healthTests struct {
	Tests []struct {
		InputPath    string `json:"inputPath"`
		HealthStatus health `json:"healthStatus"`
	} `json:"tests"`
}

type action struct {
	Name        string `json:"name"`
	Disabled    bool   `json:"disabled,omitempty"`
	DisplayName string `json:"displayName,omitempty"`
}

type actionTests struct {
	DiscoveryTests []struct {
		InputPath string   `json:"inputPath"`
		Result    []action `json:"result"`
	} `json:"discoveryTests"`
	ActionTests []struct {
		Action             string `json:"action"`
		InputPath          string `json:"inputPath"`
		ExpectedOutputPath string `json:"expectedOutputPath"`
	} `json:"actionTests"`
}

// testAll runs the tests of every folder that has a script.
func testAll(folder string) error {
	var failures []error
	count := 0
	check := func(name string, err error) {
		count++
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", name, err))
		}
	}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch filepath.Base(path) {
		case "health.lua":
			return testHealth(filepath.Dir(path), check)
		case "discovery.lua":
			return testActions(filepath.Dir(path), check)
		}
		return nil
	})
	fmt.Printf("%d tests, %d failed\n", count, len(failures))
	return errors.Join(append(failures, err)...)
}

func testHealth(folder string, check func(string, error)) error {
	var tests healthTests
	if err := read(filepath.Join(folder, "health_test.yaml"), &tests); err != nil {
		return err
	}
	for _, test := range tests.Tests {
		input := filepath.Join(folder, test.InputPath)
		var is health
		err := apply(filepath.Join(folder, "health.lua"), input, &is)
		check(input, equal(err, test.HealthStatus, is))
	}
	return nil
}

func testActions(folder string, check func(string, error)) error {
	var tests actionTests
	if err := read(filepath.Join(folder, "action_test.yaml"), &tests); err != nil {
		return err
	}
	for _, test := range tests.DiscoveryTests {
		input := filepath.Join(folder, test.InputPath)
		var found map[string]action
		err := apply(filepath.Join(folder, "discovery.lua"), input, &found)
		wanted := map[string]action{}
		for _, one := range test.Result {
			wanted[one.Name] = one
		}
		for name, one := range found {
			one.Name = name
			found[name] = one
		}
		check("discovery of "+input, equal(err, wanted, found))
	}
	for _, test := range tests.ActionTests {
		input := filepath.Join(folder, test.InputPath)
		var is, wanted map[string]any
		err := apply(filepath.Join(folder, test.Action, "action.lua"), input, &is)
		err = errors.Join(err, read(filepath.Join(folder, test.ExpectedOutputPath), &wanted))
		check(test.Action+" of "+input, equal(err, withoutTime(wanted), withoutTime(is)))
	}
	return nil
}

var now = regexp.MustCompile(`"forceNewDeployment":"[^"]*"`)

// withoutTime replaces the time at which an action ran.
func withoutTime(object map[string]any) string {
	text, _ := json.Marshal(object)
	return now.ReplaceAllString(string(text), `"forceNewDeployment":"0001-01-01T00:00:00Z"`)
}

func apply(script, input string, result any) error {
	var object map[string]any
	if err := read(input, &object); err != nil {
		return err
	}
	text, err := run(script, object)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, result)
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return yaml.Unmarshal(text, into)
}

func equal(err error, wanted, is any) error {
	if err == nil && !reflect.DeepEqual(wanted, is) {
		return fmt.Errorf("wanted %v, is %v", wanted, is)
	}
	return err
}
