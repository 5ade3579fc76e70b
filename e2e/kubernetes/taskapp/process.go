package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// ending is closed by TERM or INT.
func ending() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	return signals
}

// pause waits for its end and reaps what became its child: the sandbox process of a pod.
func pause([]string) error {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return nil
		}
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
	return nil
}

// trap tells each signal with its time, on standard output and in a file if one is given, and ends a while after TERM or
// INT. A delay below zero means that it does not end by itself.
func trap(arguments []string) error {
	flags := flag.NewFlagSet("trap", flag.ExitOnError)
	path := flags.String("file", "", "file that lines are added to as well")
	name := flags.String("name", "trap", "name in the lines")
	delay := flags.Duration("delay", 0, "time between the signal and the end")
	code := flags.Int("code", 0, "exit code")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	tell := func(what string) {
		say("%s %s", *name, what)
		if *path != "" {
			if err := add(*path, *name+" "+what); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1)
	tell("started")
	for received := range signals {
		tell("received " + signalName(received))
		if *delay < 0 || (received != syscall.SIGTERM && received != syscall.SIGINT) {
			continue
		}
		time.Sleep(*delay)
		tell("ended")
		os.Exit(*code)
	}
	return nil
}

func signalName(received os.Signal) string {
	switch received {
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGUSR1:
		return "SIGUSR1"
	}
	return received.String()
}

// burn uses whole cores until TERM.
func burn(arguments []string) error {
	threads := 1
	if len(arguments) > 0 {
		var err error
		if threads, err = strconv.Atoi(arguments[0]); err != nil {
			return err
		}
	}
	for range threads {
		go func() {
			for count := 0; ; count++ {
				if count&0xffff == 0 {
					runtime.Gosched()
				}
			}
		}()
	}
	<-ending()
	return nil
}

// allocate touches that much memory and holds it until TERM.
func allocate(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no size")
	}
	mebibytes, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	blocks := make([][]byte, 0, mebibytes)
	for range mebibytes {
		block := make([]byte, 1<<20)
		for at := 0; at < len(block); at += 4096 {
			block[at] = 1
		}
		blocks = append(blocks, block)
	}
	say("holds %d MiB", len(blocks))
	<-ending()
	runtime.KeepAlive(blocks)
	return nil
}
