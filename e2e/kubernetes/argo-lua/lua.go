package main

import (
	"context"
	"fmt"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// run returns what a script makes of an object, as JSON.
func run(script string, object map[string]any) ([]byte, error) {
	text, err := os.ReadFile(script)
	if err != nil {
		return nil, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
		{lua.OsLibName, openSafeOs},
	}
	for _, library := range libraries {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, func(state *lua.LState) int {
		state.Push(safeOs(state))
		return 1
	})
	// The limit of Argo CD.
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("actionParams", state.NewTable())
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(string(text)); err != nil {
		return nil, fmt.Errorf("%s: %w", script, err)
	}
	return luajson.Encode(state.Get(-1))
}

func openSafeOs(state *lua.LState) int {
	state.SetGlobal(lua.OsLibName, safeOs(state))
	return 0
}

// safeOs is the part of the os library that Argo CD opens.
func safeOs(state *lua.LState) *lua.LTable {
	return state.SetFuncs(state.NewTable(), map[string]lua.LGFunction{
		"time": func(state *lua.LState) int {
			state.Push(lua.LNumber(time.Now().Unix()))
			return 1
		},
		"date": func(state *lua.LState) int {
			// The one form that the scripts use.
			if format := state.CheckString(1); format != "!%Y-%m-%dT%XZ" {
				state.RaiseError("os.date(%q) is not in the tests' version", format)
			}
			state.Push(lua.LString(time.Now().UTC().Format(time.RFC3339)))
			return 1
		},
	})
}
