// Command taskapp is what the containers of the tests on real nodes run: one static program whose first argument says what
// it does. It is also the sandbox process of each pod (`pause`) and the forwarder of the API server's port (`forward`).
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type command struct {
	usage string
	run   func(arguments []string) error
}

var commands = map[string]command{
	"pause":    {"pause", pause},
	"exit":     {"exit CODE [AFTER]", exit},
	"sleep":    {"sleep [FOR]", sleep},
	"serve":    {"serve PORT [-unhealthy-file PATH] [-healthy-for FOR] [-term-delay FOR]", serve},
	"write":    {"write PATH TEXT", write},
	"read":     {"read PATH", read},
	"mark":     {"mark PATH NAME", mark},
	"burn":     {"burn [THREADS]", burn},
	"allocate": {"allocate MIB", allocate},
	"trap":     {"trap [-file PATH] [-name NAME] [-delay FOR] [-code CODE]", trap},
	"env":      {"env", environment},
	"id":       {"id [SYSCTL ...]", id},
	"test":     {"test PATH", test},
	"wait-for": {"wait-for PATH [LIMIT]", waitFor},
	"forward":  {"forward ADDRESS [WHOSE]", forward},
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	chosen, known := commands[os.Args[1]]
	if !known {
		usage()
	}
	if err := chosen.run(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "taskapp:", err)
		fmt.Fprintln(os.Stderr, "usage: taskapp", chosen.usage)
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage:")
	for _, one := range commands {
		fmt.Fprintln(os.Stderr, "  taskapp", one.usage)
	}
	os.Exit(64)
}

// say prints a line with the time, so that the order over containers can be told from their logs.
func say(format string, arguments ...any) {
	fmt.Printf("%s %s\n", now(), fmt.Sprintf(format, arguments...))
}

// now is the time in UTC with milliseconds.
func now() string {
	return time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
}

// exit ends with a code, at once or after a while; signals end it as they end any program that does not care.
func exit(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no exit code")
	}
	code, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	after := time.Duration(0)
	if len(arguments) > 1 {
		if after, err = time.ParseDuration(arguments[1]); err != nil {
			return err
		}
	}
	say("exits with %d after %s", code, after)
	time.Sleep(after)
	os.Exit(code)
	return nil
}

// sleep waits for a while, or for ever, and ends with 0 on TERM.
func sleep(arguments []string) error {
	limit := time.Duration(1<<63 - 1)
	if len(arguments) > 0 {
		var err error
		if limit, err = time.ParseDuration(arguments[0]); err != nil {
			return err
		}
	}
	select {
	case <-ending():
	case <-time.After(limit):
	}
	return nil
}

// write puts a text into a file that is there only when it is whole.
func write(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("a path and a text are needed")
	}
	return os.WriteFile(arguments[0], []byte(strings.Join(arguments[1:], " ")+"\n"), 0o644)
}

// read prints a file.
func read(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no path")
	}
	content, err := os.ReadFile(arguments[0])
	if err == nil {
		_, err = os.Stdout.Write(content)
	}
	return err
}

// mark adds a line with the time to a file that several containers share.
func mark(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("a path and a name are needed")
	}
	say("%s", arguments[1])
	return add(arguments[0], arguments[1])
}

// add appends a line in one write, so that lines of several writers do not mix.
func add(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	if _, err = file.WriteString(now() + " " + text + "\n"); err != nil {
		return err
	}
	return file.Close()
}

// test ends with 0 if the path exists: for health checks.
func test(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no path")
	}
	_, err := os.Stat(arguments[0])
	return err
}

// waitFor ends with 0 as soon as the path exists.
func waitFor(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no path")
	}
	deadline := time.Now().Add(time.Hour)
	if len(arguments) > 1 {
		limit, err := time.ParseDuration(arguments[1])
		if err != nil {
			return err
		}
		deadline = time.Now().Add(limit)
	}
	for time.Now().Before(deadline) {
		if _, err := os.Stat(arguments[0]); err == nil {
			say("%s is there", arguments[0])
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%s did not appear", arguments[0])
}
