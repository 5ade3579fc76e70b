package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"
)

// serve answers over HTTP: / with the host's name, /healthz, /env, /id and /file?path=…. It becomes unhealthy when a file
// appears or a while after its start. On TERM it goes on for the delay, then finishes what it has begun and ends with 0.
func serve(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no port")
	}
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	unhealthyFile := flags.String("unhealthy-file", "", "unhealthy while this file exists")
	healthyFor := flags.Duration("healthy-for", 0, "unhealthy from this time on; 0 is never")
	termDelay := flags.Duration("term-delay", 0, "time between TERM and the end of service")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	begun := time.Now()
	host, _ := os.Hostname()
	var answered atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(writer http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(writer, "%s %d %s\n", host, answered.Add(1), os.Getenv("GREETING"))
	})
	mux.HandleFunc("/healthz", func(writer http.ResponseWriter, request *http.Request) {
		_, err := os.Stat(*unhealthyFile)
		if (*unhealthyFile != "" && err == nil) || (*healthyFor > 0 && time.Since(begun) > *healthyFor) {
			http.Error(writer, "unhealthy", http.StatusInternalServerError)
			return
		}
		fmt.Fprintln(writer, "ok")
	})
	mux.HandleFunc("/env", func(writer http.ResponseWriter, request *http.Request) {
		json.NewEncoder(writer).Encode(variables())
	})
	mux.HandleFunc("/id", func(writer http.ResponseWriter, request *http.Request) {
		json.NewEncoder(writer).Encode(self(request.URL.Query()["setting"]))
	})
	mux.HandleFunc("/file", func(writer http.ResponseWriter, request *http.Request) {
		http.ServeFile(writer, request, request.URL.Query().Get("path"))
	})
	listener, err := net.Listen("tcp", ":"+arguments[0])
	if err != nil {
		return err
	}
	say("serves on port %s", arguments[0])
	server := &http.Server{Handler: mux}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case received := <-ending():
		say("received %s, ends in %s", signalName(received), *termDelay)
	}
	time.Sleep(*termDelay)
	limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(limit)
}

// forward hands the connections of the listening socket that is its standard input over to an address in its own network
// namespace. The socket was made in another one, so this is the only way between the two. More arguments say whose it is.
func forward(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("no address")
	}
	listener, err := net.FileListener(os.Stdin)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			other, err := net.Dial("tcp", arguments[0])
			if err != nil {
				return
			}
			defer other.Close()
			ended := make(chan struct{}, 2)
			// The end of one direction must not end the other: HTTP/1.0 closes its half after the request.
			relay := func(to, from net.Conn) {
				io.Copy(to, from)
				if half, is := to.(*net.TCPConn); is {
					half.CloseWrite()
				}
				ended <- struct{}{}
			}
			go relay(other, connection)
			go relay(connection, other)
			<-ended
			<-ended
		}()
	}
}
